import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import {
  controlGroupOf,
  daemonIn,
  endDaemon,
  FOLDER_PREFIX,
  recordDaemon,
  recordOwner,
  removeAbandonedDaemons,
} from './abandoned-daemons.ts';
import { docker } from './docker-command.ts';

export interface DockerDaemon {
  /** What DOCKER_HOST has to be. */
  readonly host: string;
  /** To be put before a command that shall see the published ports on 127.0.0.1; empty where everybody sees them. */
  readonly enter: readonly string[];
  stop(): Promise<void>;
}

/** A Docker daemon with a swarm: the one that answers (DOCKER_HOST or the usual socket), else one of our own. */
export async function dockerDaemon(): Promise<DockerDaemon> {
  return (await answeringDaemon()) ?? startDaemon({ kept: process.env['CALCULAUD_DOCKER_DATA'] });
}

async function answeringDaemon(): Promise<DockerDaemon | undefined> {
  const host = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
  try {
    await docker(host, 'info', '--format', '{{.ServerVersion}}');
  } catch (error) {
    // Somebody who names a daemon means that one.
    if (process.env['DOCKER_HOST']) throw error;
    return undefined;
  }
  await beSwarm(host);
  return { host, enter: entranceTo(host), stop: async () => undefined };
}

/**
 * Starts Debian's dockerd with its own data folder and socket, and a swarm of one node. It lives in network, process and
 * mount namespaces of its own: it shares no bridge, port or packet filter with any other daemon of the machine, and when
 * its first process ends, the kernel ends all its containers and mounts. It has no way to the outside.
 *
 * `kept` names a folder that stays with all its images, and its daemon, too: the next run goes on with it.
 */
export async function startDaemon({
  kept,
}: {
  readonly kept?: string | undefined;
} = {}): Promise<DockerDaemon> {
  await removeAbandonedDaemons();
  const folder = kept === undefined ? throwAwayFolder() : keptFolder(kept);
  const host = hostOf(folder);
  const stop = async (): Promise<void> => endDaemon(folder, { removeFolder: kept === undefined });
  if (daemonIn(folder) === undefined) {
    try {
      await launch(folder);
      await beSwarm(host);
    } catch (error) {
      await stop();
      throw error;
    }
  }
  return { host, enter: entranceTo(host), stop: kept === undefined ? stop : async () => undefined };
}

/** For a daemon that goes with the test, and is ended by a later run when the test cannot. */
export function throwAwayFolder(): string {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), FOLDER_PREFIX));
  recordOwner(folder);
  return folder;
}

function keptFolder(path: string): string {
  mkdirSync(path, { recursive: true });
  return realpathSync(path);
}

function hostOf(folder: string): string {
  return `unix://${join(folder, 'sock')}`;
}

/** The machine that a daemon believes to be alone on. */
export interface Machine {
  /** Of `unshare`, beyond those that every daemon gets. */
  readonly namespaces: readonly string[];
  /**
   * The first process of the namespaces is a shell: it collects ended processes, which dockerd in its place would not do.
   * It gets the options of dockerd behind its own arguments.
   */
  readonly firstProcess: readonly string[];
  /** What somebody outside has to do before the first process goes on, which then waits for a line. */
  readonly prepare?: (pid: number) => Promise<void>;
}

const ALONE: Machine = {
  namespaces: [],
  firstProcess: ['sh', '-c', 'ip link set lo up && { dockerd "$@" & wait; }', 'sh'],
};

/** Starts a daemon in a folder that has an owner; `endDaemon` ends it, also when this fails. */
export async function launch(
  folder: string,
  { namespaces: more, firstProcess, prepare }: Machine = ALONE,
): Promise<string> {
  for (const name of ['exec', 'sock', 'log']) rmSync(join(folder, name), { recursive: true, force: true });
  mkdirSync(join(folder, 'exec'));
  const log = openSync(join(folder, 'log'), 'a');
  const options = [
    ['--host', hostOf(folder)],
    ['--data-root', join(folder, 'data')],
    ['--exec-root', join(folder, 'exec')],
    ['--pidfile', join(folder, 'exec', 'pid')],
    // Named, so that the groups lie in the same place everywhere and can be removed at the end.
    ['--exec-opt', 'native.cgroupdriver=cgroupfs'],
    // A process that copies every byte took an eighth of a processor at 200 requests a second; CIS 2.16 wants it off as well.
    ['--userland-proxy=false'],
    ['--cgroup-parent', `/${controlGroupOf(folder)}`],
  ];
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', ...more];
  // A group of its own: Ctrl-C at the terminal ends the tests, which need the daemon until they are done.
  const child = spawn('unshare', [...namespaces, ...firstProcess, ...options.flat()], {
    stdio: [prepare ? 'pipe' : 'ignore', prepare ? 'pipe' : log, log],
    detached: true,
  });
  const end = new AbortController();
  child.once('exit', () => end.abort());
  await once(child, 'spawn');
  if (child.pid !== undefined) recordDaemon(folder, child.pid);
  if (prepare && child.pid !== undefined && child.stdin && child.stdout) {
    // Its first line says that its namespaces are there.
    await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
    await prepare(child.pid);
    child.stdin.end('\n');
    child.stdout.destroy();
  }
  child.unref();
  if (!(await answers(join(folder, 'sock'), end.signal))) {
    throw new Error(
      `dockerd ended at its start. It needs root and Debian's packages docker.io, iptables and iproute2. It said:\n` +
        readFileSync(join(folder, 'log'), 'utf8').split('\n').slice(-12).join('\n'),
    );
  }
  return hostOf(folder);
}

/** False when the daemon ended before it ever answered. */
async function answers(socketPath: string, end: AbortSignal): Promise<boolean> {
  const ping = async (): Promise<boolean> =>
    new Promise((resolve) => {
      request({ socketPath, path: '/_ping' }, (response) => resolve(response.resume().statusCode === 200))
        .on('error', () => resolve(false))
        .end();
    });
  while (!end.aborted) {
    if (await ping()) return true;
    await wait(20);
  }
  return false;
}

async function beSwarm(host: string): Promise<void> {
  const state = await docker(host, 'info', '--format', '{{.Swarm.LocalNodeState}}');
  if (state === 'inactive') await docker(host, 'swarm', 'init', '--advertise-addr', '127.0.0.1');
}

/** A daemon of ours has a network of its own, which can be entered by way of its process. */
function entranceTo(host: string): readonly string[] {
  const pid = daemonIn(dirname(host.replace(/^unix:\/\//, '')));
  return pid === undefined ? [] : entranceOf(pid);
}

/** To be put before a command that shall run in the network of a process. */
export function entranceOf(pid: number): readonly string[] {
  return ['nsenter', `--net=/proc/${pid}/ns/net`, '--'];
}
