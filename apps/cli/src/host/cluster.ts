import { setTimeout as pause } from 'node:timers/promises';
import type { z } from 'zod';
import type { EnvironmentConfig } from '../environment/schema.ts';
import {
  besideLabel,
  fullNetworkName,
  fullServiceName,
  type ServiceName,
  SERVICES,
  stackName,
} from '../stack/names.ts';
import { printStack } from '../stack/print.ts';
import type { StackDocument } from '../stack/render.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import { type Docker, openDocker } from './docker.ts';
import { parseDockerAddress } from './docker-address.ts';
import type { Service, Task } from './docker-answers.ts';
import type { OpenCommand } from './docker-command.ts';
import { GatewayControl, gatewayContainer } from './gateway-control.ts';

/** A container of a service, and the engine that has it. */
export interface Running {
  readonly docker: Docker;
  readonly container: string;
  readonly image: string;
}

/** A host of the configuration whose engine cannot be used from here. */
export interface AwayHost {
  readonly name: string;
  /** Where its engine should answer. */
  readonly docker: string;
  readonly why: string;
  /** What can be done about it. */
  readonly hint: string;
}

/** The engines that carry an environment. What is one for all of them is asked of a manager. */
export class Cluster {
  readonly config: EnvironmentConfig;
  readonly manager: Docker;
  /** None, unless the cluster was opened for those who can do without. */
  readonly away: readonly AwayHost[];
  /** By the id that the Swarm gives its nodes. */
  readonly #engines: ReadonlyMap<string, Docker>;

  constructor(
    config: EnvironmentConfig,
    manager: Docker,
    engines: ReadonlyMap<string, Docker>,
    away: readonly AwayHost[] = [],
  ) {
    this.config = config;
    this.manager = manager;
    this.#engines = engines;
    this.away = away;
  }

  get engines(): readonly Docker[] {
    return [...this.#engines.values()];
  }

  /** Undefined when it is away, or is no host of the configuration. */
  engineOf(node: string): Docker | undefined {
    return this.#engines.get(node);
  }

  async services(): Promise<readonly Service[]> {
    return this.manager.api.services({ label: [`com.docker.stack.namespace=${stackName(this.config)}`] });
  }

  async tasks(service: ServiceName): Promise<readonly Task[]> {
    return this.manager.api.tasks({ service: [fullServiceName(this.config, service)] });
  }

  /** Makes the live stack what the document says; Swarm goes on with it after this has returned. */
  async deploy(document: StackDocument, signal: AbortSignal): Promise<void> {
    for (const { name, content } of document.configs) {
      const labels = { 'com.docker.stack.namespace': document.name };
      if (!(await this.manager.api.config(name, signal))) {
        await this.manager.api.createConfig({ name, data: content, labels }, signal);
      }
    }
    // Images are there already, by their exact names: nobody has to ask a registry again.
    await this.manager.command.run(
      [
        'stack',
        'deploy',
        '--prune',
        '--resolve-image=never',
        '--with-registry-auth',
        '-c',
        '-',
        document.name,
      ],
      { input: printStack(document), signal },
    );
  }

  /** The containers of a service that run right now, on whichever host. */
  async running(service: ServiceName): Promise<readonly Running[]> {
    const tasks = await this.tasks(service);
    return tasks.flatMap((task) => {
      const container = task.Status.ContainerStatus?.ContainerID;
      const docker = this.#engines.get(task.NodeID ?? '');
      return task.Status.State === 'running' && task.DesiredState === 'running' && container && docker
        ? [{ docker, container, image: task.Spec.ContainerSpec?.Image ?? '' }]
        : [];
    });
  }

  /** Waits for the gateway's container; the answer has to be closed. */
  async gateway(signal?: AbortSignal): Promise<GatewayControl> {
    const { docker, container } = await this.oneOf(SERVICES.gateway, signal);
    return new GatewayControl(gatewayContainer(docker.command, container));
  }

  /** A program in a running container of a service, to its end; what it wrote to standard output. */
  async exec(service: ServiceName, argv: readonly string[], image?: string): Promise<string> {
    const { docker, container } = await this.oneOf(service, undefined, image);
    return (await docker.command.run(['exec', container, ...argv])).stdout;
  }

  /** A program of ours beside the gateway, where it sees what users see. It ends with its standard input. */
  async beside(image: string, argv: readonly string[]): Promise<OpenCommand> {
    const { docker } = await this.oneOf(SERVICES.gateway);
    return docker.command.open([
      'run',
      '--rm',
      '--interactive',
      '--pull=never',
      '--log-driver=none',
      '--read-only',
      '--tmpfs=/tmp',
      '--cap-drop=ALL',
      '--security-opt=no-new-privileges',
      // Whatever it measures, users come first: a quarter of what a service gets while both want the processor.
      // (An eighth left a gate on an overloaded host without a verdict: 43 pairs of answers in 55 s.)
      '--cpu-shares=256',
      '--memory=512m',
      '--pids-limit=256',
      '--no-healthcheck',
      `--label=${besideLabel(this.config)}`,
      `--network=${fullNetworkName(this.config, 'front')}`,
      image,
      'calculaud',
      ...argv,
    ]);
  }

  /** What a task said last. Across hosts; a log that cannot be read is told instead. */
  async lastWords(task: string): Promise<readonly string[]> {
    try {
      const { stdout, stderr } = await this.manager.command.run(
        ['service', 'logs', '--raw', '--tail', '10', task],
        { timeoutMs: 10_000 },
      );
      return `${stdout}${stderr}`.split('\n').filter(Boolean).slice(-10);
    } catch (error) {
      return [`(its log cannot be read: ${error instanceof Error ? error.message : String(error)})`];
    }
  }

  /** The engines of all hosts lack this image. */
  async withoutImage(image: string): Promise<readonly Docker[]> {
    const found = await Promise.all(
      this.engines.map(async (docker) => ((await docker.api.image(image)) ? [] : [docker])),
    );
    return found.flat();
  }

  async close(): Promise<void> {
    await Promise.all(this.engines.map((docker) => docker.close()));
  }

  private async oneOf(service: ServiceName, signal?: AbortSignal, image?: string): Promise<Running> {
    const deadline = performance.now() + 30_000;
    for (;;) {
      const found = await this.running(service);
      const match = found.find((running) => image === undefined || running.image === image);
      if (match) return match;
      if (performance.now() > deadline) {
        throw new CliError(
          `No container of ${fullServiceName(this.config, service)} runs${image === undefined ? '' : ` with ${image}`}.`,
          'Look at `calculaud status`.',
          EXIT.unverified,
        );
      }
      await pause(500, undefined, signal ? { signal } : {});
    }
  }
}

/**
 * Connects with the Docker of every host of the environment, and finds a manager among them. Whoever only looks can be
 * tolerant: then one manager is enough, and the cluster tells which hosts are away.
 */
export async function openCluster(
  config: EnvironmentConfig,
  { tolerant = false }: { readonly tolerant?: boolean } = {},
): Promise<Cluster> {
  const hosts = await Promise.all(config.hosts.map(reach));
  const reached = hosts.filter((host) => 'engine' in host);
  const away = hosts.filter((host) => 'why' in host);
  const refuse = async (message: string, hint: string): Promise<never> => {
    await Promise.all(reached.map(({ engine }) => engine.close()));
    throw new CliError(message, hint, EXIT.refused);
  };
  const [missing] = away;
  if (missing && !tolerant) return refuse(inWords(missing), missing.hint);
  const manager = reached.find(({ isManager }) => isManager)?.engine;
  if (!manager) {
    const names = config.hosts.map(({ name }) => name).join(', ');
    return missing
      ? refuse(['No manager of the Swarm can be reached.', ...away.map(inWords)].join('\n'), missing.hint)
      : refuse(
          `None of the hosts (${names}) is a manager of its Swarm.`,
          'List a manager under `hosts`, or promote one: `docker node promote <host>`.',
        );
  }
  return new Cluster(config, manager, new Map(reached.map(({ node, engine }) => [node, engine])), away);
}

interface ReachedHost {
  readonly node: string;
  readonly engine: Docker;
  readonly isManager: boolean;
}

/** For an engine to say who it is. ssh gives up after 10 s by itself, and knows why. */
const REACH_MS = 12_000;

async function reach({ name, docker }: EnvironmentConfig['hosts'][number]): Promise<ReachedHost | AwayHost> {
  const engine = await openDocker(parseDockerAddress(docker));
  const away = async (why: string, hint: string): Promise<AwayHost> => {
    await engine.close();
    return { name, docker: engine.name, why, hint };
  };
  try {
    const { Swarm } = await within(REACH_MS, engine.api.info());
    if (Swarm.LocalNodeState === 'active') {
      return { node: Swarm.NodeID, engine, isManager: Swarm.ControlAvailable };
    }
    return await away(
      'its Docker is in no Swarm',
      'Run `docker swarm init` there, or `docker swarm join` with the token of the first host.',
    );
  } catch (error) {
    return away(
      error instanceof Error ? error.message : String(error),
      `Look whether the host is up and lets you in: \`docker --host ${engine.name} info\`. ` +
        'What the others say of the environment is in `calculaud status`.',
    );
  }
}

function inWords({ name, docker, why }: AwayHost): string {
  return `Host ${name} (${docker}) cannot be used: ${why}`;
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = new AbortController();
  const timeOut = pause(ms, undefined, { signal: late.signal }).then((): never => {
    throw new Error(`no answer within ${ms / 1000} s`);
  });
  try {
    return await Promise.race([work, timeOut]);
  } finally {
    late.abort();
    timeOut.catch(() => undefined);
    work.catch(() => undefined);
  }
}

/** The lines of NDJSON in a text; what is none of ours is passed over. */
export function eventsIn<T extends z.ZodType>(schema: T, text: string): z.output<T>[] {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return [];
    const parsed = schema.safeParse(JSON.parse(line));
    return parsed.success ? [parsed.data] : [];
  });
}
