import { randomBytes } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { access, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { BackupProblem } from './problem.ts';
import { assertStoreKey, type BackupStore, type StoredObject } from './store.ts';

/** Objects that are being written; a killed writer leaves some, and nobody takes them for objects. */
const UNFINISHED = '.unfinished-';
/** Older ones have no writer any more. */
const ABANDONED_MS = 24 * 60 * 60 * 1000;

/** A repository in a folder: of a second disk, of a mounted share. `create`: the folder is made when its parent exists. */
export async function openFolderStore(path: string, { create = true } = {}): Promise<BackupStore> {
  const root = resolve(path);
  const address = `file://${root}`;
  await told(address, '', async () => {
    if (create) await mkdir(root, { mode: 0o700 }).catch(ignore('EEXIST'));
    await access(root, constants.R_OK | constants.W_OK | constants.X_OK);
  });
  const folders = new Set<string>();

  let known = await told(address, '', async () => stat(root));
  /**
   * Rejects when the disk of the repository is not mounted any more. What is seen then is an empty folder, which has no
   * backups, and takes new ones onto the disk of the system.
   */
  const present = async (): Promise<void> => {
    const now = await stat(root);
    if (now.dev === known.dev && now.ino === known.ino) return;
    if ((await readdir(root)).length === 0) throw new Unmounted();
    folders.clear();
    known = now;
  };

  const pathOf = (key: string): string => {
    assertStoreKey(key);
    return join(root, key);
  };

  const makeFolder = async (folder: string): Promise<void> => {
    if (folders.has(folder) || folder === root) return;
    await makeFolder(dirname(folder));
    const made = await mkdir(folder, { mode: 0o700 }).then(() => true, ignore('EEXIST'));
    if (made) await syncFolder(dirname(folder));
    folders.add(folder);
  };

  const write = async (target: string, content: Uint8Array, ifAbsent: boolean): Promise<boolean> => {
    await present();
    const folder = dirname(target);
    await makeFolder(folder);
    const unfinished = join(folder, `${UNFINISHED}${randomBytes(6).toString('hex')}`);
    const file = await open(unfinished, 'wx', 0o600);
    try {
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
      if (ifAbsent) {
        const taken = await link(unfinished, target).then(
          () => false,
          (error: unknown) => {
            if (codeOf(error) === 'EEXIST') return true;
            throw error;
          },
        );
        if (taken) return false;
      } else {
        await rename(unfinished, target);
      }
      await syncFolder(folder);
      return true;
    } finally {
      await rm(unfinished, { force: true });
    }
  };

  return {
    address,
    put: async (key, content, { ifAbsent = false } = {}) => {
      const target = pathOf(key);
      return told(address, key, async () => {
        try {
          return await write(target, content, ifAbsent);
        } catch (error) {
          // Somebody removed an empty folder, or put another disk in its place.
          if (codeOf(error) !== 'ENOENT') throw error;
          folders.clear();
          return write(target, content, ifAbsent);
        }
      });
    },
    get: async (key) =>
      told(address, key, async () => {
        const content = await readFile(pathOf(key)).catch(ignore('ENOENT', 'ENOTDIR'));
        // "Not there" is only true while the disk of the repository is.
        if (content === undefined) await present();
        return content;
      }),
    list: (prefix) => walk(address, root, prefix, present),
    delete: async (key) =>
      told(address, key, async () => {
        await present();
        await rm(pathOf(key), { force: true });
        await syncFolder(dirname(pathOf(key))).catch(ignore('ENOENT'));
      }),
    close: async () => undefined,
  };
}

async function* walk(
  address: string,
  root: string,
  prefix: string,
  present: () => Promise<void>,
): AsyncGenerator<StoredObject> {
  await told(address, prefix, present);
  const open: string[] = [join(root, prefix)];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const here = folder;
    const entries = await told(address, prefix, async (): Promise<Dirent[]> => {
      return (await readdir(here, { withFileTypes: true }).catch(ignore('ENOENT'))) ?? [];
    });
    const found = await Promise.all(
      entries.map(async (entry) => {
        const path = join(here, entry.name);
        if (entry.isDirectory()) open.push(path);
        // Undefined, too, when it was removed since its folder was read.
        const about = entry.isFile()
          ? await told(address, prefix, async () => stat(path).catch(ignore('ENOENT')))
          : undefined;
        return about && { path, name: entry.name, about };
      }),
    );
    for (const each of found) {
      if (!each) continue;
      const { path, name, about } = each;
      if (!name.startsWith(UNFINISHED)) {
        yield { key: relative(root, path), size: about.size, modified: about.mtime };
      } else if (Date.now() - about.mtimeMs > ABANDONED_MS) {
        // Who may only read has nothing to tidy up.
        await rm(path, { force: true }).catch(() => undefined);
      }
    }
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function ignore(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(codeOf(error) ?? '')) throw error;
  };
}

class Unmounted extends Error {
  readonly code = 'another, empty folder is in its place';
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** Says in words why the folder cannot be used. */
async function told<T>(address: string, key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const object = key === '' ? {} : { object: key };
    if (FULL.has(code)) {
      throw new BackupProblem(
        'full',
        `The disk of the repository ${address} is full. Make room, or add another repository.`,
        {
          ...object,
          cause: error,
        },
      );
    }
    throw new BackupProblem(
      'unavailable',
      `The repository ${address} cannot be used (${code}). Is the disk mounted, and may this user write there?`,
      { ...object, cause: error },
    );
  }
}
