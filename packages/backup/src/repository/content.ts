import { createHash } from 'node:crypto';
import type { ChunkRef } from './manifest.ts';
import type { StoredContent, TakenContent } from './repository.ts';

/** 128 KiB chunks stored as much and took half as long again (backup.md, 2.4). */
export const CHUNK_BYTES = 1024 * 1024;

/** The content in pieces of exactly CHUNK_BYTES, but for the last one. Each is a buffer of its own. */
export async function* chunksOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let filled = 0;
  for await (const part of content) {
    for (let taken = 0; taken < part.length; ) {
      const size = Math.min(part.length - taken, CHUNK_BYTES - filled);
      parts.push(part.subarray(taken, taken + size));
      filled += size;
      taken += size;
      if (filled < CHUNK_BYTES) continue;
      yield Buffer.concat(parts);
      parts = [];
      filled = 0;
    }
  }
  if (filled > 0) yield Buffer.concat(parts);
}

export interface StoredChunk {
  readonly ref: ChunkRef;
  /** 0: it was there already. */
  readonly storedBytes: number;
}

/** So many chunks may be on their way to a store at a time, of whatever content. */
export class Room {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  async enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}

/**
 * Hashes the content and stores its chunks beside each other: compressing one and waiting for the store with another go on at
 * the same time. It is read no faster than there is room.
 */
export async function takeChunks(
  content: AsyncIterable<Uint8Array>,
  room: Room,
  store: (chunk: Buffer) => Promise<StoredChunk>,
): Promise<TakenContent> {
  const hash = createHash('sha256');
  let size = 0;
  let failed = false;
  const chunks: Promise<StoredChunk>[] = [];
  try {
    for await (const chunk of chunksOf(content)) {
      hash.update(chunk);
      size += chunk.length;
      await room.enter();
      const storing = store(chunk).finally(() => room.leave());
      // It is looked at below; until then nobody else has to.
      storing.catch(() => {
        failed = true;
      });
      chunks.push(storing);
      // Nobody needs the rest any more.
      if (failed) await Promise.all(chunks);
    }
  } catch (error) {
    // Whoever hears of it may rely on nothing more being written.
    await Promise.allSettled(chunks);
    throw error;
  }
  const sha256 = hash.digest('hex');
  const stored = allStored(chunks, { size, sha256 });
  stored.catch(() => undefined);
  return { size, sha256, stored };
}

async function allStored(
  storing: readonly Promise<StoredChunk>[],
  about: { readonly size: number; readonly sha256: string },
): Promise<StoredContent> {
  await Promise.allSettled(storing);
  const chunks = await Promise.all(storing);
  const fresh = chunks.filter(({ storedBytes }) => storedBytes > 0);
  return {
    ...about,
    chunks: chunks.map(({ ref }) => ref),
    newBytes: fresh.reduce((sum, { ref }) => sum + ref.size, 0),
    storedBytes: fresh.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
  };
}
