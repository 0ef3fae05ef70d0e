import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { ByteSource } from '../bundle/byte-source.ts';
import type { Sink } from '../bundle/write.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';

/** A piece of a bundle that is in memory at a time. */
const CHUNK = 1024 * 1024;

/** Opens a bundle for as long as the work lasts; whoever puts another file in its place does not change what is read. */
export async function withBundleFile<T>(path: string, work: (source: ByteSource) => Promise<T>): Promise<T> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw unreadable(path, error instanceof Error ? error.message : String(error), error);
  });
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw unreadable(path, 'it is no file');
    return await work(sourceOf(file, stats.size));
  } finally {
    await file.close();
  }
}

function sourceOf(file: FileHandle, size: number): ByteSource {
  const read: ByteSource['read'] = async (position, length) => {
    const buffer = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  };
  return {
    size,
    read,
    stream: async function* (position, length) {
      for (let done = 0; done < length; ) {
        const chunk = await read(position + done, Math.min(CHUNK, length - done));
        if (chunk.length === 0) return;
        done += chunk.length;
        yield chunk;
      }
    },
  };
}

/**
 * Writes a file that is there in whole or not at all: under a name of its own until the work is done and the disk has it.
 * Nothing that exists is written over.
 */
export async function writeBundleFile<T>(
  path: string,
  work: (sink: Sink, partial: string) => Promise<T>,
): Promise<T> {
  refuseExisting(path);
  const partial = `${path}.${randomBytes(4).toString('hex')}.partial`;
  const file = await open(partial, 'wx').catch((error: unknown) => {
    throw unwritable(path, error instanceof Error ? error.message : String(error), error);
  });
  try {
    const result = await work(async (chunk) => writeAll(file, chunk), partial);
    await file.sync();
    refuseExisting(path);
    await rename(partial, path);
    return result;
  } catch (error) {
    await rm(partial, { force: true });
    const full = error instanceof Error && 'code' in error && error.code === 'ENOSPC';
    throw full ? unwritable(path, 'the disk is full', error) : error;
  } finally {
    await file.close();
  }
}

/** To be asked before long work is begun, too. */
export function refuseExisting(path: string): void {
  if (!existsSync(path)) return;
  throw new CliError(
    `${path} is there already. Nothing was changed.`,
    'Name another file with --out, or remove it.',
    EXIT.refused,
  );
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, written);
    written += bytesWritten;
  }
}

function unreadable(path: string, reason: string, cause?: unknown): CliError {
  return new CliError(`${path} cannot be read: ${reason}`, 'Name a bundle.', EXIT.refused, { cause });
}

function unwritable(path: string, reason: string, cause?: unknown): CliError {
  return new CliError(`${path} cannot be written: ${reason}`, 'Name another file with --out.', EXIT.refused, {
    cause,
  });
}
