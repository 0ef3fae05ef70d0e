import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { withLease } from '../../apps/cli/src/deployment/lease.ts';
import { openRegister } from '../../apps/cli/src/deployment/register.ts';
import { type Docker, openDocker } from '../../apps/cli/src/host/docker.ts';
import { parseDockerAddress } from '../../apps/cli/src/host/docker-address.ts';
import { type DockerDaemon, dockerDaemon } from './daemon.ts';
import { type SshServer, startSshServer } from './ssh-server.ts';

const run = promisify(execFile);

let daemon: DockerDaemon;
let server: SshServer;
let docker: Docker;
beforeAll(async () => {
  daemon = await dockerDaemon();
  server = await startSshServer();
  docker = await reach({});
});
afterAll(async () => {
  await docker.close();
  await server.stop();
  await daemon.stop();
});
afterEach(async () => {
  for (const { ID } of await docker.api.configs({ name: ['ssh-test'] })) await docker.api.removeConfig(ID);
});

interface Change {
  readonly port?: number;
  readonly identityFile?: string;
  readonly knownHostsFile?: string;
}

async function reach(change: Change): Promise<Docker> {
  const { user, port, identityFile, knownHostsFile } = { ...server, ...change };
  const socket = daemon.host.replace('unix://', '');
  return openDocker(
    parseDockerAddress(`ssh://${user}@127.0.0.1:${port}${socket}`, { identityFile, knownHostsFile }),
  );
}

async function refusal(change: Change): Promise<string> {
  const other = await reach(change);
  try {
    return await other.api.info().then(
      () => 'let in',
      (error: unknown) => String(error),
    );
  } finally {
    await other.close();
  }
}

describe('an engine behind ssh', () => {
  test('answers the API', async () => {
    const { Swarm } = await docker.api.info();
    expect(Swarm).toMatchObject({ LocalNodeState: 'active', ControlAvailable: true });
    expect((await docker.api.nodes()).some(({ ID }) => ID === Swarm.NodeID)).toBe(true);
  });

  test('carries a lease', async () => {
    const register = openRegister(docker.api, 'ssh-test');
    const who = await withLease(register, { who: 'dana@laptop', command: 'deploy' }, async (lease) => {
      await lease.update((record) => record);
      return (await register.read()).record.lease.holder?.who;
    });
    expect(who).toBe('dana@laptop');
  });

  test('tells what happens, until nobody listens any more', async () => {
    const controller = new AbortController();
    const events = docker.api.events({ type: ['config'] }, controller.signal);
    const first = events.next();
    // What happened before the engine began to tell is not told.
    const making = (async () => {
      for (let n = 0; !controller.signal.aborted; n += 1) {
        await docker.api.createConfig({ name: `ssh-test-event-${n}`, data: 'x' });
        await sleep(100);
      }
    })();
    expect((await first).value).toMatchObject({ Type: 'config', Action: 'create' });
    controller.abort();
    expect(await events.next()).toEqual({ done: true, value: undefined });
    await making;
  });

  test('is reached by the docker client, with input and output as streams', async () => {
    await docker.command.run(['config', 'create', 'ssh-test-input', '-'], { input: 'from standard input' });
    const config = await docker.api.config('ssh-test-input');
    expect(Buffer.from(config?.Spec.Data ?? '', 'base64').toString()).toBe('from standard input');
  });

  test('takes and gives images, and ends the input of a container when ours ends', async () => {
    const noise = randomBytes(8 * 1024 * 1024);
    const tag = 'calculaud-ssh-test:1';
    await docker.command.run(['import', '-', tag], { input: Readable.from([await archiveWith(noise)]) });

    const output = new PassThrough();
    const saved = output.toArray();
    await docker.command.run(['save', tag], { output });
    expect(Buffer.concat(await saved).includes(noise)).toBe(true);

    const echo = ['run', '--rm', '-i', '--network', 'none', tag, '/bin/cat'];
    const { stdout } = await docker.command.run(echo, { input: 'there and back\n' });
    expect(stdout).toBe('there and back\n');
    await docker.command.run(['image', 'rm', tag]);
  });

  test('keeps a command open for as long as it is wanted', async () => {
    const command = docker.command.open(['events', '--filter', 'type=config', '--format', '{{.Action}}']);
    const told = new AbortController();
    const line = once(command.stdout, 'data').finally(() => told.abort());
    for (let n = 0; !told.signal.aborted; n += 1) {
      await docker.api.createConfig({ name: `ssh-test-open-${n}`, data: 'x' });
      await sleep(100);
    }
    expect(String((await line)[0])).toContain('create');
    await command.stop();
    expect((await command.ended).exitCode).not.toBe(0);
  });

  test('says what failed, with the arguments and the last lines', async () => {
    await expect(docker.command.run(['config', 'inspect', 'ssh-test-nothing'])).rejects.toMatchObject({
      name: 'DockerCommandError',
      args: ['config', 'inspect', 'ssh-test-nothing'],
      exitCode: 1,
      lastLines: [expect.stringContaining('ssh-test-nothing')],
    });
  });
});

describe('ssh refuses', () => {
  test('a host whose key is not known', async () => {
    expect(await refusal({ knownHostsFile: '/dev/null' })).toContain('Host key verification failed');
  });

  test('a host that shows another key than before', async () => {
    expect(await refusal({ knownHostsFile: server.wrongKnownHostsFile })).toContain(
      'Host key verification failed',
    );
  });

  test('a key that the host does not know, and tries no other', async () => {
    expect(await refusal({ identityFile: server.strangeIdentityFile })).toContain(
      'Permission denied (publickey)',
    );
  });

  test('nothing, but nobody listens', async () => {
    expect(await refusal({ port: 1 })).toContain('Connection refused');
  });
});

/** An image with cat, and a large file. */
async function archiveWith(noise: Buffer): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-ssh-image-'));
  writeFileSync(join(folder, 'noise'), noise);
  const { stdout: libraries } = await run('ldd', ['/bin/cat']);
  const files = ['/bin/cat', ...(libraries.match(/\/\S+/g) ?? [])];
  const line = ['--create', '--dereference', '--absolute-names', '--directory', folder, 'noise', ...files];
  const { stdout } = await run('tar', line, { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 });
  rmSync(folder, { recursive: true });
  return stdout;
}
