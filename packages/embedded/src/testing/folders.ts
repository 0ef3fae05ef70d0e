import { chownSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { livingPostmaster } from '../postmaster-file.ts';

const made: string[] = [];

/** Whom the tests can be: started by root they are root and nobody, else only who they are. */
export const isRoot = process.getuid?.() === 0;
export const NOBODY = { name: 'nobody', uid: 65534, gid: 65534 };
export const ourselves = { name: isRoot ? 'root' : 'the current user', uid: undefined, gid: undefined };
export const users = isRoot ? [ourselves, NOBODY] : [ourselves];

/** An empty data folder of that user; after the test its server is ended and the folder removed. */
export function dataFolder(owner: { uid?: number | undefined; gid?: number | undefined } = {}): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'calculaud-embedded-')));
  made.push(folder);
  if (owner.uid !== undefined && owner.gid !== undefined) chownSync(folder, owner.uid, owner.gid);
  return folder;
}

afterEach(() => {
  for (const folder of made.splice(0)) {
    const postmaster = livingPostmaster(join(folder, 'postgres'));
    if (postmaster !== undefined) process.kill(postmaster.pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
});
