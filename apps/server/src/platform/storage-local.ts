import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { type FileHandle, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeFolder } from '@calculaud/embedded/folder';
import type { ByteRange, ObjectStore } from './object-store.ts';

/** Objects as files below a folder, each named by its key. */
export function localStorage(directory: string): ObjectStore {
  /** Undefined for a key that would lead out of the folder. Ours never do; a predecessor's may hold anything. */
  const pathOf = (key: string): string | undefined => {
    const path = resolve(directory, key);
    return path.startsWith(`${directory}${sep}`) ? path : undefined;
  };

  return {
    async put(key, content) {
      const path = pathOf(key);
      if (path === undefined) throw new Error(`The key ${key} leads out of the folder of files`);
      const created = makeFolder(dirname(path), 0o700);
      const unfinished = unfinishedOf(path);
      try {
        await pipeline(content, createWriteStream(unfinished, { flags: 'wx', mode: 0o600, flush: true }));
        await rename(unfinished, path);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
      await syncFolders(dirname(path), created === undefined ? dirname(path) : dirname(created));
    },

    async open(key, range) {
      const handle = await openExisting(pathOf(key));
      if (!handle) return undefined;
      try {
        const stats = await handle.stat();
        return { stream: handle.createReadStream(range), size: range ? sizeOf(range) : stats.size };
      } catch (error) {
        await handle.close();
        throw error;
      }
    },

    async delete(key) {
      const path = pathOf(key);
      if (path === undefined) return;
      await rm(unfinishedOf(path), { force: true });
      await rm(path, { force: true });
    },

    async probe() {
      makeFolder(directory, 0o700);
      const path = join(directory, `.probe-${randomUUID()}`);
      await writeFile(path, 'x', { mode: 0o600 });
      await rm(path);
    },
  };
}

function unfinishedOf(path: string): string {
  return `${path}.unfinished`;
}

async function openExisting(path: string | undefined): Promise<FileHandle | undefined> {
  if (path === undefined) return undefined;
  try {
    return await open(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function sizeOf({ start, end }: ByteRange): number {
  return end - start + 1;
}

/** A new name is durable once its folder is; a new folder once the one above it is. */
async function syncFolders(from: string, upTo: string): Promise<void> {
  for (let folder = from; ; folder = dirname(folder)) {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (folder === upTo) return;
  }
}
