import { chownSync, cpSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';
import { livingPostmaster } from '../postmaster-file.ts';
import { startEmbeddedPostgres } from '../supervisor.ts';

/** Whom the tests can be: started by root they are root and nobody, else only who they are. */
export const isRoot = process.getuid?.() === 0;
export const NOBODY = { name: 'nobody', uid: 65534, gid: 65534 };
export const ourselves = { name: isRoot ? 'root' : 'the current user', uid: undefined, gid: undefined };
export const users = isRoot ? [ourselves, NOBODY] : [ourselves];

const untilTestEnds: string[] = [];
const untilFileEnds: string[] = [];
let used: Promise<string> | undefined;

/** An empty data folder of that user; after the test its server is ended and the folder removed. */
export function dataFolder(owner: { uid?: number | undefined; gid?: number | undefined } = {}): string {
  const folder = temporaryFolder();
  untilTestEnds.push(folder);
  if (owner.uid !== undefined && owner.gid !== undefined) chownSync(folder, owner.uid, owner.gid);
  return folder;
}

/** A data folder that was used before: the copy of one, since making a cluster takes long. */
export async function usedDataFolder(): Promise<string> {
  used ??= makeUsedFolder();
  const folder = dataFolder();
  cpSync(await used, folder, { recursive: true });
  return folder;
}

async function makeUsedFolder(): Promise<string> {
  const folder = temporaryFolder();
  untilFileEnds.push(folder);
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  await server.stop();
  return folder;
}

function temporaryFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'calculaud-embedded-')));
}

function remove(folders: string[]): void {
  for (const folder of folders.splice(0)) {
    const postmaster = livingPostmaster(join(folder, 'postgres'));
    if (postmaster !== undefined) process.kill(postmaster.pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }
}

/** To be called by every file that makes such folders: files share this module, and a hook belongs to one file. */
export function removeFoldersAfterwards(): void {
  afterEach(() => remove(untilTestEnds));
  afterAll(() => {
    remove(untilFileEnds);
    used = undefined;
  });
}
