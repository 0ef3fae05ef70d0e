import { linkSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf, EmbeddedPostgresError } from './failure.ts';
import { isAlive, startMarkOf } from './processes.ts';

export interface DataLock {
  release(): void;
}

const PREFIX = 'lock.';
const RELEASED = 'released';
let temporaryFiles = 0;

/**
 * One supervisor per data folder. The lock is the file `lock.<n>` with the highest n; it names its holder. To take over
 * the lock of a dead holder one creates `lock.<n+1>`, which exactly one of several contenders can do; a file that
 * is the highest is never deleted, so that no contender with an old view of the folder can succeed beside the new holder.
 */
export function lockDataDirectory(run: string): DataLock {
  const me = `${process.pid} ${startMarkOf(process.pid)}`;
  for (;;) {
    const current = highestLock(run);
    const holder = current === 0 ? undefined : holderOf(join(run, `${PREFIX}${current}`));
    if (holder === 'replaced') continue;
    if (holder !== undefined) {
      throw new EmbeddedPostgresError(
        `Calculaud already runs on this data folder: process ${holder} holds ${run}. ` +
          `Stop it first (kill ${holder}), or start this one with another CALCULAUD_DATA.`,
      );
    }
    const mine = join(run, `${PREFIX}${current + 1}`);
    if (!createWhole(run, mine, me)) continue;
    if (highestLock(run) !== current + 1) {
      rmSync(mine, { force: true });
      continue;
    }
    for (const n of locks(run)) if (n <= current) rmSync(join(run, `${PREFIX}${n}`), { force: true });
    return { release: () => replaceWhole(run, mine, RELEASED) };
  }
}

/** The process that holds the lock of a data folder, if any. */
export function lockHolder(run: string): number | undefined {
  for (;;) {
    const current = highestLock(run);
    const holder = current === 0 ? undefined : holderOf(join(run, `${PREFIX}${current}`));
    if (holder !== 'replaced') return holder;
  }
}

function locks(run: string): number[] {
  return readdirSync(run)
    .filter((name) => /^lock\.\d+$/.test(name))
    .map((name) => Number(name.slice(PREFIX.length)));
}

function highestLock(run: string): number {
  return Math.max(0, ...locks(run));
}

/** The process id of the living holder, undefined when there is none, 'replaced' when somebody was faster. */
function holderOf(path: string): number | 'replaced' | undefined {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'replaced';
    throw error;
  }
  const [id = '', ...mark] = content.split(' ');
  const pid = Number(id);
  if (!Number.isInteger(pid) || !isAlive(pid)) return undefined;
  const markNow = startMarkOf(pid);
  return markNow === '' || markNow === mark.join(' ') ? pid : undefined;
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

function replaceWhole(run: string, path: string, content: string): void {
  renameSync(writeTemporary(run, content), path);
}

function writeTemporary(run: string, content: string): string {
  temporaryFiles += 1;
  const path = join(run, `.lock-${process.pid}-${temporaryFiles}`);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}
