import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';

/** PostgreSQL as the distribution has it, with its client programs: what ours is compared with. */

const run = promisify(execFile);
const VERSIONS = '/usr/lib/postgresql';
/** What pgBackRest 2.45 of Debian 12 and 2.50 of Ubuntu 24.04 know. */
const KNOWN = new Set(['15', '16']);

export const major = (existsSync(VERSIONS) ? readdirSync(VERSIONS) : [])
  .filter((name) => KNOWN.has(name) && existsSync(join(VERSIONS, name, 'bin/postgres')))
  .toSorted()
  .at(-1);

export interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

/** PostgreSQL refuses root: then its files and programs are those of the user that its package made. */
export function serverOwner(): Owner {
  if (process.getuid?.() !== 0) return {};
  const id = (what: string) => Number(execFileSync('id', [what, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

/** A folder for the server's user, which others may pass. */
export function makeFolder(path: string, mode = 0o700): string {
  const { uid, gid } = serverOwner();
  mkdirSync(path, { recursive: true });
  chmodSync(path, mode);
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
  return path;
}

export function program(name: string): string {
  if (major === undefined) {
    throw new Error('there is no PostgreSQL of the distribution: run sh scripts/system-packages.sh');
  }
  return join(VERSIONS, major, 'bin', name);
}

/** Runs a program as the server's user. */
export async function asServer(command: string, args: readonly string[]): Promise<string> {
  const options = { ...serverOwner(), cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' } };
  const { stdout } = await run(command, args, { ...options, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

export interface DebianPostgres {
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly pid: number;
  /** Of its superuser. */
  readonly connectionString: string;
  stop(): Promise<void>;
}

export async function initialize(dataDirectory: string): Promise<void> {
  const locale = ['--locale=C.UTF-8', '--encoding=UTF8'];
  await asServer(program('initdb'), [
    `--pgdata=${dataDirectory}`,
    '--username=postgres',
    '--auth=trust',
    '--data-checksums',
    ...locale,
  ]);
  appendFileSync(
    join(dataDirectory, 'postgresql.conf'),
    "listen_addresses = ''\nshared_buffers = '128MB'\nmax_wal_size = '1GB'\nmax_slot_wal_keep_size = '8GB'\njit = off\n",
  );
}

/** Resolves when it takes connections, also after a recovery. */
export async function startServer(
  dataDirectory: string,
  socketDirectory: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<DebianPostgres> {
  makeFolder(socketDirectory, 0o711);
  const log = openSync(`${dataDirectory}.log`, 'a');
  const all = { ...settings, unix_socket_directories: socketDirectory, port: '5432' };
  const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(program('postgres'), ['-D', dataDirectory, ...args], {
    ...serverOwner(),
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const ended = once(child, 'exit');
  const connectionString = `postgresql://postgres@localhost/postgres?host=${encodeURIComponent(socketDirectory)}`;
  for (;;) {
    const client = new pg.Client({ connectionString });
    client.on('error', () => undefined);
    const connected = await client.connect().then(
      () => true,
      () => false,
    );
    if (connected) {
      await client.end();
      break;
    }
    if (child.exitCode !== null) {
      throw new Error(`the server ended: ${readFileSync(`${dataDirectory}.log`, 'utf8').slice(-2000)}`);
    }
    await pause(20);
  }
  return {
    dataDirectory,
    socketDirectory,
    pid: child.pid ?? -1,
    connectionString,
    stop: async () => {
      child.kill('SIGINT');
      await ended;
    },
  };
}
