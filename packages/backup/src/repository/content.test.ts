import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { CHUNK_BYTES, Room, takeChunks } from './content.ts';

async function* parts(...sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (const size of sizes) yield randomBytes(size);
}

async function sizesOf(content: AsyncIterable<Uint8Array>): Promise<number[]> {
  const sizes: number[] = [];
  await stored(content, 2, async ({ length }) => {
    sizes.push(length);
    return { ref: { name: 'x', size: length }, storedBytes: 1 };
  });
  return sizes;
}

async function stored(
  content: AsyncIterable<Uint8Array>,
  atOnce: number,
  store: Parameters<typeof takeChunks>[2],
) {
  return (await takeChunks(content, new Room(atOnce), store)).stored;
}

describe('content', () => {
  test.each([
    ['nothing', [], []],
    ['only empty parts', [0, 0], []],
    ['one byte', [1], [1]],
    ['exactly one chunk', [CHUNK_BYTES], [CHUNK_BYTES]],
    ['one byte more than a chunk', [CHUNK_BYTES, 0, 1], [CHUNK_BYTES, 1]],
    ['one part of several chunks', [2.5 * CHUNK_BYTES], [CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES / 2]],
    ['parts that end nowhere near a chunk', [700_000, 700_000], [CHUNK_BYTES, 1_400_000 - CHUNK_BYTES]],
  ])('of %s is cut at the same places, however it comes', async (_, given, expected) => {
    expect(await sizesOf(parts(...given))).toEqual(expected);
  });

  test('is the same again when its chunks are joined, in their order', async () => {
    const content = randomBytes(3_300_000);
    const found = new Map<string, Buffer>();
    const { chunks, size, sha256, newBytes } = await stored(one(content), 4, async (chunk) => {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      const name = createHash('sha256').update(chunk).digest('hex');
      found.set(name, Buffer.from(chunk));
      return { ref: { name, size: chunk.length }, storedBytes: 10 };
    });
    expect(Buffer.concat(chunks.map(({ name }) => found.get(name) ?? Buffer.alloc(0))).equals(content)).toBe(
      true,
    );
    expect([size, newBytes]).toEqual([content.length, content.length]);
    expect(sha256).toBe(createHash('sha256').update(content).digest('hex'));
  });

  test('is read no faster than it is stored: at most so many chunks wait', async () => {
    let read = 0;
    let done = 0;
    let most = 0;
    async function* counted(): AsyncGenerator<Buffer> {
      for (read = 1; read <= 40; read += 1) {
        most = Math.max(most, read - done);
        yield Buffer.alloc(CHUNK_BYTES, read);
      }
    }
    await stored(counted(), 4, async (chunk) => {
      await new Promise((resolve) => {
        setTimeout(resolve, 2);
      });
      done += 1;
      return { ref: { name: 'x', size: chunk.length }, storedBytes: 1 };
    });
    expect(done).toBe(40);
    expect(most).toBeLessThanOrEqual(5);
  });

  test('is told as it was read, while its chunks are still on their way', async () => {
    const { promise, go } = gate();
    const taken = await takeChunks(parts(100), new Room(1), async (chunk) => {
      await promise;
      return { ref: { name: 'x', size: chunk.length }, storedBytes: 1 };
    });
    expect(taken.size).toBe(100);
    let there = false;
    const { stored: storing } = taken;
    void storing.then(() => {
      there = true;
    });
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    expect(there).toBe(false);
    go();
    expect(await storing).toMatchObject({ sha256: taken.sha256, newBytes: 100 });
  });

  test('of several readers shares the room', async () => {
    const room = new Room(3);
    let [now, most] = [0, 0];
    const store = async (chunk: Buffer) => {
      now += 1;
      most = Math.max(most, now);
      await new Promise((resolve) => {
        setTimeout(resolve, 1);
      });
      now -= 1;
      return { ref: { name: 'x', size: chunk.length }, storedBytes: 1 };
    };
    const taken = await Promise.all(
      Array.from({ length: 10 }, async () => takeChunks(parts(2 * CHUNK_BYTES), room, store)),
    );
    await Promise.all(taken.map(async (each) => each.stored));
    expect(most).toBe(3);
  });

  test('whose storing or reading fails is not stored', async () => {
    const failing = stored(parts(CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES), 2, async () => {
      throw new Error('no room');
    });
    await expect(failing).rejects.toThrow('no room');
    async function* broken(): AsyncGenerator<Buffer> {
      yield randomBytes(CHUNK_BYTES);
      throw new Error('the server is gone');
    }
    const reading = stored(broken(), 2, async (chunk) => ({
      ref: { name: 'x', size: chunk.length },
      storedBytes: 1,
    }));
    await expect(reading).rejects.toThrow('the server is gone');
  });
});

async function* one(content: Buffer): AsyncGenerator<Buffer> {
  yield content;
}

function gate(): { readonly promise: Promise<void>; readonly go: () => void } {
  let go = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    go = resolve;
  });
  return { promise, go };
}
