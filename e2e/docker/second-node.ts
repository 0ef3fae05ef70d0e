import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { endDaemon, FOLDER_PREFIX, recordDaemon, recordOwner } from './abandoned-daemons.ts';
import type { DockerDaemon } from './daemon.ts';
import { docker } from './docker-command.ts';

/** A manager that can be made to stand still: of two, one alone is no majority, and nobody leads. */
export interface SecondNode {
  readonly standStill: () => void;
  readonly goOn: () => void;
  readonly stop: () => Promise<void>;
}

/** Joins a second manager to a swarm of one, within the same network. It runs nothing and needs no bridge. */
export async function joinSecondNode({ host, enter }: DockerDaemon): Promise<SecondNode> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), FOLDER_PREFIX));
  recordOwner(folder);
  mkdirSync(join(folder, 'exec'));
  const log = openSync(join(folder, 'log'), 'a');
  const own = `unix://${join(folder, 'sock')}`;
  const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const options = [
    ['--host', own],
    ['--data-root', join(folder, 'data')],
    ['--exec-root', join(folder, 'exec')],
    ['--pidfile', join(folder, 'exec', 'pid')],
    ['--bridge', 'none'],
    ['--iptables=false', '--ip-forward=false'],
  ];
  const [program = '', ...line] = [...enter, ...namespaces, 'dockerd', ...options.flat()];
  const child = spawn(program, line, { stdio: ['ignore', log, log], detached: true });
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error('The second manager has no process');
  child.unref();
  recordDaemon(folder, pid);
  const stop = async (): Promise<void> => endDaemon(folder, { removeFolder: true });
  try {
    await answer(own, child);
    const token = await docker(host, 'swarm', 'join-token', '--quiet', 'manager');
    // The usual port is taken by the first one.
    const address = '127.0.0.2:2378';
    const joining = ['--token', token, '--listen-addr', address, '--advertise-addr', address];
    await docker(own, 'swarm', 'join', ...joining, '127.0.0.1:2377');
  } catch (error) {
    await stop();
    throw error;
  }
  // The first process only waits for the daemon, its child.
  const daemon = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
  return {
    standStill: () => process.kill(daemon, 'SIGSTOP'),
    goOn: () => process.kill(daemon, 'SIGCONT'),
    stop,
  };
}

async function answer(host: string, { exitCode }: { readonly exitCode: number | null }): Promise<void> {
  for (;;) {
    if (exitCode !== null) throw new Error(`The second manager ended with ${exitCode}`);
    try {
      await docker(host, 'version', '--format', '{{.Server.Version}}');
      return;
    } catch {
      await wait(100);
    }
  }
}
