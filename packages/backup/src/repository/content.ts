import { createHash } from 'node:crypto';
import type { ChunkRef } from './manifest.ts';

/** 128 KiB chunks stored as much and took half as long again (backup.md, 2.4). */
export const CHUNK_BYTES = 1024 * 1024;

/** The content in pieces of exactly CHUNK_BYTES, but for the last one. Each is a buffer of its own. */
export async function* chunksOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let filled = 0;
  for await (const part of content) {
    for (let taken = 0; taken < part.length; ) {
      const size = Math.min(part.length - taken, CHUNK_BYTES - filled);
      chunk.set(part.subarray(taken, taken + size), filled);
      filled += size;
      taken += size;
      if (filled < CHUNK_BYTES) continue;
      yield chunk;
      chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

export interface StoredChunk {
  readonly ref: ChunkRef;
  /** 0: it was there already. */
  readonly storedBytes: number;
}

/**
 * Hashes the content and stores its chunks, some at a time: compressing one and waiting for the store with another go on
 * beside each other.
 */
export async function storeChunks(
  content: AsyncIterable<Uint8Array>,
  atOnce: number,
  store: (chunk: Buffer) => Promise<StoredChunk>,
) {
  const hash = createHash('sha256');
  let size = 0;
  const stored: Promise<StoredChunk>[] = [];
  let chunks: StoredChunk[];
  try {
    for await (const chunk of chunksOf(content)) {
      hash.update(chunk);
      size += chunk.length;
      const storing = store(chunk);
      // It is looked at below; until then nobody else has to.
      storing.catch(() => undefined);
      stored.push(storing);
      await stored.at(-atOnce);
    }
    chunks = await Promise.all(stored);
  } catch (error) {
    // Whoever hears of it may rely on nothing more being written.
    await Promise.allSettled(stored);
    throw error;
  }
  const fresh = chunks.filter(({ storedBytes }) => storedBytes > 0);
  return {
    size,
    sha256: hash.digest('hex'),
    chunks: chunks.map(({ ref }) => ref),
    newBytes: fresh.reduce((sum, { ref }) => sum + ref.size, 0),
    storedBytes: fresh.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
  };
}
