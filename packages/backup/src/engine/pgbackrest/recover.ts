import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BackupProblem } from '../../repository/problem.ts';
import { describeTarget, type Target } from '../target.ts';
import { type Account, fileFor, folderFor } from './program.ts';

export interface Recovered {
  readonly reached: string;
  readonly lsn: string | undefined;
  readonly lastCommit: string | null;
  readonly socketDirectory: string;
  stop(): Promise<void>;
}

/** Starts the server on the restored cluster, with nobody but us, and sees whether it came as far as was asked for. */
export async function recover(options: {
  readonly directory: string;
  readonly version: string;
  readonly target: Target;
  readonly account: Account;
  readonly signal: AbortSignal;
}): Promise<Recovered> {
  const { directory, version, target, account, signal } = options;
  const cluster = join(directory, 'postgres');
  const socketDirectory = join(directory, 'run');
  folderFor(account, socketDirectory);
  // Whoever comes to the folder of its socket is we.
  const logins = join(socketDirectory, 'logins.conf');
  fileFor(account, logins, 'local all all trust\n');
  const logFile = join(directory, 'postgres.log');
  const log = openSync(logFile, 'a', 0o600);
  const settings = {
    listen_addresses: '',
    unix_socket_directories: socketDirectory,
    port: '5432',
    hba_file: logins,
    logging_collector: 'off',
    log_destination: 'stderr',
    hot_standby: 'off',
    // It does not write into the archive of the cluster that it was.
    archive_mode: 'off',
    shared_preload_libraries: '',
    external_pid_file: '',
    ssl: 'off',
  };
  const child = spawn(
    programOf(version),
    ['-D', cluster, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    {
      ...account,
      cwd: '/',
      env: { PATH: '/usr/bin:/usr/local/bin:/bin', LC_ALL: 'C.UTF-8' },
      stdio: ['ignore', log, log],
    },
  );
  closeSync(log);
  const ended = once(child, 'exit').catch(() => undefined);
  const stop = async () => {
    child.kill('SIGINT');
    await ended;
  };
  const abort = () => child.kill('SIGQUIT');
  signal.addEventListener('abort', abort);
  try {
    while (child.exitCode === null && child.signalCode === null && !(await isReady(cluster))) await pause(20);
    signal.throwIfAborted();
    const said = await readFile(logFile, 'utf8');
    const lsn = /redo done at ([0-9A-F]+\/[0-9A-F]+)/.exec(said)?.[1];
    const lastCommit = /last completed transaction was at log time (.*)/.exec(said)?.[1] ?? null;
    if (child.exitCode !== null || child.signalCode !== null) throw refusal(said, target, lsn, lastCommit);
    const reached = /recovery stopping .*/.exec(said)?.[0];
    if (reached !== undefined) return { reached, lsn, lastCommit, socketDirectory, stop };
    await stop();
    throw new BackupProblem(
      'corrupt',
      `The server came up without having reached ${describeTarget(target)}.`,
    );
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** The eighth line of its file says so. */
async function isReady(cluster: string): Promise<boolean> {
  const lines = await readFile(join(cluster, 'postmaster.pid'), 'utf8').catch(() => '');
  return lines.split('\n')[7]?.trim() === 'ready';
}

function programOf(version: string): string {
  const places = [
    `/usr/lib/postgresql/${version}/bin`,
    `/usr/pgsql-${version}/bin`,
    '/usr/local/bin',
    '/usr/bin',
  ];
  const found = places.map((place) => join(place, 'postgres')).find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new BackupProblem(
    'impossible',
    `There is no PostgreSQL ${version} on this machine, which a restore needs to prove what it brought back. Install postgresql-${version}, or restore on the machine of the server.`,
    { object: 'postgres' },
  );
}

function refusal(
  said: string,
  target: Target,
  lsn: string | undefined,
  commit: string | null,
): BackupProblem {
  if (said.includes('recovery ended before configured recovery target was reached')) {
    const end = `it ends${lsn === undefined ? '' : ` at ${lsn}`}${commit === null ? '' : `, with a commit at ${commit}`}`;
    return target.kind === 'time' || target.kind === 'point'
      ? new BackupProblem(
          'impossible',
          `${describeTarget(target)} is not in the log that was archived: ${end}. Restore to the latest moment (--to latest), or to an earlier time.`,
        )
      : new BackupProblem('corrupt', `The log is damaged before ${describeTarget(target)}: ${end}.`);
  }
  if (said.includes('requested recovery stop point is before consistent recovery point')) {
    return new BackupProblem(
      'impossible',
      `${describeTarget(target)} is before the end of the backup. Restore an earlier backup, or to a later moment.`,
    );
  }
  const words = said
    .split('\n')
    .filter((line) => /FATAL|PANIC/.test(line))
    .at(-1);
  return new BackupProblem('corrupt', `The restored database does not start. ${words ?? said.slice(-500)}`);
}
