import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Account, commandOf, own } from './account.ts';
import type { Binaries } from './binaries.ts';
import { codeOf, diskAdvice, EmbeddedPostgresError } from './failure.ts';
import type { Layout } from './layout.ts';
import { disownForeignProcess, livingPostmaster, readPostmasterFile } from './postmaster-file.ts';
import { isPostmasterOf, processesOf } from './processes.ts';
import { lastLines } from './server-log.ts';
import { fixedSettings } from './settings.ts';
import { createSocketDirectory, removeSocketDirectory } from './socket-directory.ts';

const run = promisify(execFile);

export interface FoundServer {
  readonly pid: number;
  readonly socketDirectory: string;
}

/** A server process of our cluster, started by us or adopted. */
export interface Server extends FoundServer {
  /** Resolves when the process has ended, for whatever reason. */
  readonly ended: Promise<void>;
}

export interface ServerContext {
  readonly layout: Layout;
  readonly binaries: Binaries;
  readonly account: Account;
  readonly log: (message: string) => void;
}

/** Starts the server and waits until it takes connections, however long crash recovery takes. */
export async function startServer(context: ServerContext): Promise<Server> {
  // After a SIGKILL of the server some of its backends may still hold the shared memory, and PostgreSQL rightly refuses.
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await tryToStart(context);
    if ('server' in outcome) return outcome.server;
    if (attempt === 40 || !outcome.lines.includes('pre-existing shared memory block')) {
      throw new EmbeddedPostgresError(
        `The database server in ${context.layout.cluster} did not start. Its log (${context.layout.log}) ends with:\n` +
          `${outcome.lines}\n${advice(outcome.lines)}`,
      );
    }
    endBackends(context);
    await wait(250);
  }
}

/** Backends whose server is dead may go on for as long as their statement takes; nobody will ever hear its result. */
function endBackends({ layout, log }: ServerContext): void {
  for (const pid of processesOf(layout.cluster)) {
    log(`Process ${pid} of the killed database server is ended.`);
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (codeOf(error) !== 'ESRCH') throw error;
    }
  }
}

async function tryToStart({ layout, binaries, account, log }: ServerContext) {
  disownForeignProcess(layout.cluster);
  const socketDirectory = createSocketDirectory(layout, account);
  const logFile = openSync(layout.log, 'a', 0o600);
  own(layout.log, account);
  const logStart = statSync(layout.log).size;
  const [program, args] = commandOf(account, binaries.postgres, [
    '-D',
    layout.cluster,
    ...fixedSettings(socketDirectory),
  ]);
  const child = spawn(program, args, {
    uid: account.uid,
    gid: account.gid,
    cwd: layout.cluster,
    env: binaries.environment,
    // A session of its own: Ctrl-C in the terminal must reach the server only after Calculaud has finished its requests.
    detached: true,
    stdio: ['ignore', logFile, logFile],
  });
  closeSync(logFile);
  let running = true;
  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      running = false;
      resolve();
    };
    child.once('exit', end);
    child.once('error', end);
  });
  const pid = child.pid ?? -1;
  await untilReady(layout.cluster, pid, () => running, log);
  if (running) return { server: { pid, socketDirectory, ended } };
  removeSocketDirectory(socketDirectory);
  return { lines: lastLines(layout.log, logStart) };
}

/** The running server of this cluster, once it takes connections; undefined when there is none. */
export async function findServer(
  layout: Layout,
  log: (message: string) => void,
): Promise<FoundServer | undefined> {
  const found = livingPostmaster(layout.cluster);
  if (found === undefined) return undefined;
  const running = (): boolean => isPostmasterOf(found.pid, layout.cluster);
  await untilReady(layout.cluster, found.pid, running, log);
  if (!running()) return undefined;
  const socketDirectory = readPostmasterFile(layout.cluster)?.socketDirectory ?? '';
  return { pid: found.pid, socketDirectory };
}

/** The end of a process that is not our child can only be polled. */
export function adoptServer({ cluster }: Layout, found: FoundServer): Server {
  const untilEnded = async (): Promise<void> => {
    while (isPostmasterOf(found.pid, cluster)) await wait(200);
  };
  return { ...found, ended: untilEnded() };
}

/** Asks the server to end at once, without waiting for its clients, and waits for it. */
export async function stopServer(
  { layout, binaries, account, log }: ServerContext,
  ended: Promise<void>,
): Promise<void> {
  const pgCtl = async (mode: string, seconds: number): Promise<boolean> => {
    const [program, args] = commandOf(account, binaries.pgCtl, [
      'stop',
      `--pgdata=${layout.cluster}`,
      `--mode=${mode}`,
      '--wait',
      `--timeout=${seconds}`,
    ]);
    try {
      await run(program, args, { uid: account.uid, gid: account.gid, cwd: '/', env: binaries.environment });
      return true;
    } catch {
      // It may have ended by itself in the meantime: what counts is whether it still runs.
      return livingPostmaster(layout.cluster) === undefined;
    }
  };
  if (!(await pgCtl('fast', 60))) {
    log('The database server did not stop within 60 seconds; it is stopped without a final checkpoint.');
    if (!(await pgCtl('immediate', 20))) {
      throw new EmbeddedPostgresError(
        `The database server in ${layout.cluster} does not stop. See its log ${layout.log}.`,
      );
    }
  }
  await ended;
}

async function untilReady(
  cluster: string,
  pid: number,
  running: () => boolean,
  log: (message: string) => void,
): Promise<void> {
  for (let waited = 0; running(); waited += 1) {
    const file = readPostmasterFile(cluster);
    if (file?.pid === pid && file.status === 'ready') return;
    if (waited > 0 && waited % 1_000 === 0)
      log('The database server is still starting (recovery after a crash) …');
    await wait(10);
  }
}

function advice(lines: string): string {
  const disk = diskAdvice(lines);
  if (disk !== undefined) return disk;
  if (/could not (map|create) .*shared memory|Cannot allocate memory/.test(lines)) {
    return 'The machine has too little memory left for the database server (it wants about 200 MB).';
  }
  if (/Permission denied|has wrong ownership/.test(lines)) {
    return 'The data folder must belong to the user as whom the server runs; was Calculaud started as another user before?';
  }
  return 'Nothing was changed. If the data is damaged, restore the database from a backup.';
}
