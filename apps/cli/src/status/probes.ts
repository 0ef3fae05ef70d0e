import type { EnvironmentConfig } from '../environment/schema.ts';
import type { Docker } from '../host/docker.ts';
import { DockerCommandError } from '../host/docker-command.ts';
import { GatewayControl, gatewayContainer } from '../host/gateway-control.ts';
import { GATEWAY, MANAGEMENT_PORT } from '../stack/names.ts';
import { currentGatewayConfig } from '../stack/render.ts';
import { parseDisks, parseReadiness } from './answers.ts';
import type { SeenAnswer, SeenDisk, SeenGateway } from './seen.ts';

/** Questions that are asked inside of containers: each needs the engine that has it, and nothing else. */

interface Place {
  readonly docker: Docker;
  readonly container: string;
}

/** In seconds. */
const LIMIT = 5;
const CLIENT_LIMIT_MS = 10_000;

/** Bash opens the connection itself; a process of Node would cost twenty times as much. */
const ASK = `exec 3<>"/dev/tcp/127.0.0.1/$1"
printf 'GET /health/ready HTTP/1.0\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3
cat <&3`;

/** What an API or a worker says of itself; undefined when it says nothing. */
export async function askReadiness({ docker, container }: Place): Promise<SeenAnswer | undefined> {
  const bash = ['timeout', String(LIMIT), 'bash', '-c', ASK, 'bash', String(MANAGEMENT_PORT)];
  try {
    const { stdout } = await docker.command.run(['exec', container, ...bash], { timeoutMs: CLIENT_LIMIT_MS });
    return parseReadiness(stdout);
  } catch (error) {
    if (endedByItself(error)) return undefined;
    throw error;
  }
}

export async function askGateway(
  { docker, container }: Place,
  config: EnvironmentConfig,
): Promise<SeenGateway> {
  const gateway = new GatewayControl(gatewayContainer(docker.command, container));
  try {
    const [{ running, onDisk }, blue, green, haproxy] = await Promise.all([
      gateway.traffic(),
      gateway.serverCounters('blue'),
      gateway.serverCounters('green'),
      docker.command.run(['exec', container, 'cat', GATEWAY.config], { timeoutMs: CLIENT_LIMIT_MS }),
    ]);
    const ready = (servers: typeof blue): number =>
      servers.filter(({ status }) => status.startsWith('UP')).length;
    return {
      running,
      on_disk: onDisk,
      ready: { blue: ready(blue), green: ready(green) },
      outdated: haproxy.stdout !== currentGatewayConfig(config).content,
    };
  } finally {
    await gateway.close();
  }
}

/** Whether PostgreSQL takes connections. */
export async function askDatabase({ docker, container }: Place): Promise<boolean> {
  const isReady = ['pg_isready', '-q', '-h', '127.0.0.1', '-t', String(LIMIT)];
  try {
    await docker.command.run(['exec', container, ...isReady], { timeoutMs: CLIENT_LIMIT_MS });
    return true;
  } catch (error) {
    if (endedByItself(error)) return false;
    throw error;
  }
}

/** The disks behind some folders of a container; `/` lies where the engine keeps its data. */
export async function askDisks(
  { docker, container }: Place,
  folders: Readonly<Record<string, string>>,
): Promise<readonly SeenDisk[]> {
  const { stdout } = await docker.command.run(['exec', container, 'df', '-Pk', ...Object.values(folders)], {
    timeoutMs: CLIENT_LIMIT_MS,
  });
  return parseDisks(stdout, Object.keys(folders));
}

/** The program in the container said no; from 125 on it is Docker that could not run it. */
function endedByItself(error: unknown): boolean {
  return error instanceof DockerCommandError && error.exitCode !== null && error.exitCode < 125;
}
