import {
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { codeOf, EmbeddedPostgresError } from './failure.ts';
import { isAlive, processSpace, startMarkOf } from './processes.ts';

export interface DataLock {
  release(): void;
}

/** The holder shows in this rhythm that it lives, for those who cannot see its process. */
const BEAT_MS = 1_500;
const RELEASED = 'released';
let temporaryFiles = 0;

/**
 * One supervisor per data folder. The lock is the file `lock.<n>` with the highest n; it names its holder. The lock of a
 * dead holder is taken over by creating `lock.<n+1>`, which exactly one of several contenders can do. The highest file
 * is never deleted, so that no contender with an old view of the folder can succeed beside the new holder.
 */
export async function lockDataDirectory(run: string): Promise<DataLock> {
  for (;;) {
    const current = highestLock(run);
    const holder = current === 0 ? undefined : await livingHolder(lockPath(run, current));
    if (holder !== undefined) {
      throw new EmbeddedPostgresError(
        `Calculaud already runs on this data folder: process ${holder} holds ${run}. ` +
          `Stop it first (kill ${holder}), or start this one with another CALCULAUD_DATA.`,
        'locked',
      );
    }
    const mine = lockPath(run, current + 1);
    if (!createWhole(run, mine, [process.pid, startMarkOf(process.pid), processSpace()].join('\n'))) continue;
    if (highestLock(run) !== current + 1) {
      rmSync(mine, { force: true });
      continue;
    }
    for (const n of locks(run)) if (n <= current) rmSync(lockPath(run, n), { force: true });
    const heart = setInterval(() => beat(mine), BEAT_MS).unref();
    return {
      release: () => {
        clearInterval(heart);
        try {
          renameSync(writeTemporary(run, RELEASED), mine);
        } catch (error) {
          // On a full disk, or in a removed folder, the lock ends with this process.
          if (!['ENOSPC', 'EDQUOT', 'ENOENT', 'EROFS'].includes(codeOf(error))) throw error;
        }
      },
    };
  }
}

/** Was the folder locked once, and is certainly nobody left who holds it? */
export function isAbandoned(run: string): boolean {
  const current = highestLock(run);
  if (current === 0) return false;
  const holder = readHolder(lockPath(run, current));
  return holder === undefined || (holder !== 'replaced' && holder.visible && !holder.alive);
}

interface Holder {
  readonly pid: number;
  /** Do we share its process ids? A process of another container has numbers of its own. */
  readonly visible: boolean;
  readonly alive: boolean;
}

async function livingHolder(path: string): Promise<number | undefined> {
  const holder = readHolder(path);
  if (holder === undefined || holder === 'replaced') return undefined;
  if (holder.visible) return holder.alive ? holder.pid : undefined;
  // Two servers on one folder would destroy the data: this is worth a wait after the crash of a container.
  const before = lastBeat(path);
  await wait(3 * BEAT_MS);
  return lastBeat(path) === before ? undefined : holder.pid;
}

function readHolder(path: string): Holder | 'replaced' | undefined {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'replaced';
    throw error;
  }
  const [id, mark = '', space] = content.split('\n');
  const pid = Number(id);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const markNow = startMarkOf(pid);
  return {
    pid,
    visible: space === processSpace(),
    alive: isAlive(pid) && (markNow === '' || markNow === mark),
  };
}

function beat(path: string): void {
  const now = new Date();
  try {
    utimesSync(path, now, now);
  } catch (error) {
    // The folder is gone, and with it what there was to protect.
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

function lastBeat(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}

function lockPath(run: string, n: number): string {
  return join(run, `lock.${n}`);
}

function locks(run: string): number[] {
  return readdirSync(run)
    .filter((name) => /^lock\.\d+$/.test(name))
    .map((name) => Number(name.slice('lock.'.length)));
}

function highestLock(run: string): number {
  return Math.max(0, ...locks(run));
}

/** Creates a file with its whole content at once; false when it exists already. */
function createWhole(run: string, path: string, content: string): boolean {
  const temporary = writeTemporary(run, content);
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeTemporary(run: string, content: string): string {
  temporaryFiles += 1;
  const path = join(run, `.lock-${process.pid}-${temporaryFiles}`);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}
