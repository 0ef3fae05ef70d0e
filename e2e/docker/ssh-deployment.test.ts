import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { full } from '../system.ts';
import { dockerDaemon } from './daemon.ts';
import { images } from './images.ts';
import { type Ended, type RunningCommand, startCommand } from './running-command.ts';
import { type SshServer, startSshServer } from './ssh-server.ts';
import { type StackEnvironment, stackEnvironment } from './stack-environment.ts';

/** An environment whose only host is reached by SSH, from the first command to the last. */

const https = 22_453;
/** Longer than any of these takes; one that hangs has to be seen as one. */
const MOST_SECONDS = 120;
const versions = ['calculaud-a:test', 'calculaud-b:test', 'calculaud-c:test'] as const;
/** Where the connections break; at the gate most of them are open. */
const broken = full ? ['migrate', 'smoke', 'release', 'gate', 'switch', 'watch'] : ['gate'];

let environment: StackEnvironment;
let server: SshServer;
let address: string;
beforeAll(async () => {
  const { host } = await dockerDaemon();
  server = await startSshServer({ environment: { DOCKER_HOST: host } });
  address = `ssh://${server.user}@127.0.0.1:${server.port}`;
  environment = await stackEnvironment(host, 'faraway', { https, strategy: { watch: '3s' } });
  const name = await environment.docker('info', '--format', '{{.Name}}');
  environment.configure({ hosts: [{ name, docker: address }] });
  for (const version of versions) await environment.docker('tag', images.app, version);
});
afterAll(async () => {
  await environment.remove();
  await server.stop();
});

/** Nothing of a Docker of this machine: only the address in calculaud.yml leads to one. */
function start(...argv: readonly string[]): RunningCommand {
  const [verb = '', ...rest] = argv;
  return startCommand([verb, '--file', environment.file, ...rest], {
    PATH: `${server.clientFolder}:${process.env['PATH']}`,
    DOCKER_HOST: 'unix:///nowhere.sock',
  });
}

async function run(...argv: readonly string[]): Promise<Ended> {
  const ended = await start(...argv).ended;
  console.log(`${argv[0]}: ${ended.seconds.toFixed(1)} s`);
  expect(ended.seconds).toBeLessThan(MOST_SECONDS);
  return ended;
}

function expectEnd({ exitCode, stderr }: Ended, expected = 0): void {
  expect({ exitCode, said: exitCode === expected ? '' : stderr }).toEqual({ exitCode: expected, said: '' });
}

/** Whose fault it was: the way to the host, and not the version. */
const BROKEN = /ssh|connection|broke off/i;

/** Those of a deployment that run beside the gateway. */
async function programs(): Promise<number> {
  const filter = ['--filter', `label=calculaud.beside=${environment.stack}`];
  return (await environment.docker('ps', '--quiet', ...filter)).split('\n').filter(Boolean).length;
}

const deployment = z.looseObject({ outcome: z.string(), reason: z.string().nullable() });
function outcomeOf({ events }: Ended) {
  const event = events.findLast((one) => one.event === 'deployment');
  return event && deployment.parse(event);
}

const seen = z.looseObject({
  verdict: z.string(),
  findings: z.array(z.unknown()),
  unseen: z.array(z.unknown()),
  release: z.looseObject({
    active: z.enum(['blue', 'green']),
    blue: z.looseObject({ image: z.string() }).nullable(),
    green: z.looseObject({ image: z.string() }).nullable(),
  }),
});

/** The image that answers users, by the word of `status`, which has to find everything well. */
async function answering(): Promise<string | undefined> {
  const status = await run('status');
  const { verdict, findings, release, unseen } = seen.parse(status.events[0]);
  expect({ verdict, findings, unseen }).toEqual({ verdict: 'healthy', findings: [], unseen: [] });
  expectEnd(status);
  expect((await environment.get('/health')).status).toBe(200);
  return release[release.active]?.image;
}

async function deploy(image: string): Promise<Ended> {
  return run('deploy', '--image', image, '--yes');
}

describe('a host that is reached by SSH', () => {
  test('gets its secrets and its first version', async () => {
    expectEnd(await run('init', '--self-signed', '--yes'));
    expectEnd(await deploy(versions[0]));
    expect(await answering()).toBe(versions[0]);
  });

  test('gets a second version beside the first, and the first one back', async () => {
    const second = await deploy(versions[1]);
    expectEnd(second);
    expect(outcomeOf(second)).toMatchObject({ outcome: 'done', reason: null });
    expectEnd(await run('rollback', '--yes'));
    expect(await answering()).toBe(versions[0]);
  });

  test('shows its logs and runs programs', async () => {
    const logs = await run('logs', 'api', '--tail', '5');
    expectEnd(logs);
    expect(logs.events.length).toBeGreaterThan(0);
    const program = await run('exec', 'api', '--', 'sh', '-c', 'echo "on $HOSTNAME"; exit 3');
    expect(program.exitCode).toBe(3);
    const [api = ''] = await environment.containers('api-blue');
    expect(program.events).toContainEqual(
      expect.objectContaining({ event: 'exec_output', line: `on ${api.slice(0, 12)}` }),
    );
  });

  test.each(broken)(
    'whose connections break during %s has a version that was judged, and says what happened',
    async (kind) => {
      const before = await answering();
      const image = before === versions[0] ? versions[2] : versions[0];
      const command = start('deploy', '--image', image, '--yes');
      await command.event((event) => event.event === 'step_begun' && event.kind === kind);
      // Probes and journeys run there, each over a connection of its own.
      if (kind === 'gate') {
        await environment.until('the probes', 'gateway', async () => (await programs()) >= 4 || undefined);
      }
      expect(server.breakConnections()).toBeGreaterThan(0);
      const ended = await command.ended;
      const outcome = outcomeOf(ended);
      console.log(
        `broken during ${kind}: ${ended.exitCode} after ${ended.seconds.toFixed(1)} s: ${outcome?.reason}`,
      );
      expect(ended.seconds).toBeLessThan(MOST_SECONDS);
      const { exitCode } = ended;
      const end = { exitCode, outcome: outcome?.outcome, blamesTheWay: BROKEN.test(outcome?.reason ?? '') };
      expect([
        { exitCode: 0, outcome: 'done', blamesTheWay: false },
        { exitCode: 4, outcome: 'rolled back', blamesTheWay: true },
      ]).toContainEqual(end);
      expect(await answering()).toBe(exitCode === 0 ? image : before);
      expect(await programs()).toBe(0);
    },
  );
});
