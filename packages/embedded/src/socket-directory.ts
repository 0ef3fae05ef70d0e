import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type Account, own } from './account.ts';
import type { Layout } from './layout.ts';

const TEMPORARY = 'calculaud-';
/** The size of sun_path less its final zero. */
const LONGEST = process.platform === 'linux' ? 107 : 103;

/**
 * An empty private folder for the socket: in the data folder, or a short one in the system's temporary folder when the
 * path would be longer than a socket's may be. Where it is stands in `postmaster.pid` while the server runs.
 */
export function createSocketDirectory(layout: Layout, account: Account): string {
  const inside = join(layout.run, 'socket');
  rmSync(inside, { recursive: true, force: true });
  if (Buffer.byteLength(join(inside, '.s.PGSQL.5432')) > LONGEST) {
    const short = mkdtempSync(join(tmpdir(), TEMPORARY));
    own(short, account);
    return short;
  }
  mkdirSync(inside, { mode: 0o700 });
  own(inside, account);
  return inside;
}

/** Removes a socket folder in the system's temporary folder; the one inside the data folder is reused. */
export function removeSocketDirectory(path: string): void {
  if (dirname(path) === tmpdir() && basename(path).startsWith(TEMPORARY)) {
    rmSync(path, { recursive: true, force: true });
  }
}
