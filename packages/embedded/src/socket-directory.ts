import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Account, own } from './account.ts';
import { codeOf } from './failure.ts';
import type { Layout } from './layout.ts';

const TEMPORARY = 'calculaud-socket-';
/** The size of sun_path less its final zero. */
const LONGEST = process.platform === 'linux' ? 107 : 103;

/**
 * An empty private folder for the socket: in the data folder, or a short one in the system's temporary folder when the
 * path would be longer than a socket's may be. It is the same at each start, so that connection strings stay valid when the
 * server is restarted; a command beside finds it in `postmaster.pid`.
 */
export function createSocketDirectory(layout: Layout, account: Account): string {
  const inside = join(layout.run, 'socket');
  const fits = Buffer.byteLength(join(inside, '.s.PGSQL.5432')) <= LONGEST;
  const path = fits ? inside : createShort(layout.dataDirectory);
  if (fits) {
    rmSync(inside, { recursive: true, force: true });
    mkdirSync(inside, { mode: 0o700 });
  }
  own(path, account);
  return path;
}

function createShort(dataDirectory: string): string {
  const hash = createHash('sha256').update(dataDirectory).digest('hex').slice(0, 16);
  const path = join(tmpdir(), `${TEMPORARY}${hash}`);
  try {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { mode: 0o700 });
    return path;
  } catch (error) {
    if (!['EEXIST', 'EACCES', 'EPERM', 'ENOTEMPTY'].includes(codeOf(error))) throw error;
    // Somebody else made a folder of that name, which is not to be trusted.
    return mkdtempSync(join(tmpdir(), TEMPORARY));
  }
}

/** Removes a socket folder in the system's temporary folder; the one inside the data folder is reused. */
export function removeSocketDirectory(path: string): void {
  if (dirname(path) === tmpdir() && basename(path).startsWith(TEMPORARY)) {
    rmSync(path, { recursive: true, force: true });
  }
}
