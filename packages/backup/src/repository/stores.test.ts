import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from './open-store.ts';
import type { BackupStore } from './store.ts';
import { keysOf, kindsOfStores, S3_CREDENTIALS, type TestStores } from './testing/stores.ts';

describe.each(kindsOfStores())('%s', (_, start) => {
  let stores: TestStores;
  let store: BackupStore;
  beforeAll(async () => {
    stores = await start();
    store = await stores.open();
  });
  afterAll(async () => {
    await store.close();
    await stores.remove();
  });

  test.each([0, 1, 70_000, 16 * 1024 * 1024])('gives %i bytes back as they were put', async (size) => {
    const content = randomBytes(size);
    expect(await store.put(`sizes/${size}`, content)).toBe(true);
    expect((await store.get(`sizes/${size}`))?.equals(content)).toBe(true);
  });

  test('has nothing where nothing was put', async () => {
    expect(await store.get('nothing/here')).toBeUndefined();
    expect(await keysOf(store, 'nothing/')).toEqual([]);
    await store.delete('nothing/here');
  });

  test('replaces what is there, unless it is asked not to', async () => {
    const text = async () => String(await store.get('kept'));
    expect(await store.put('kept', Buffer.from('one'), { ifAbsent: true })).toBe(true);
    expect(await store.put('kept', Buffer.from('two'), { ifAbsent: true })).toBe(false);
    expect(await text()).toBe('one');
    expect(await store.put('kept', Buffer.from('three'))).toBe(true);
    expect(await text()).toBe('three');
    await store.delete('kept');
    await store.delete('kept');
    expect(await store.put('kept', Buffer.from('four'), { ifAbsent: true })).toBe(true);
    expect(await text()).toBe('four');
  });

  test('lets one of many win who put the same key if it is absent', async () => {
    const other = await openStore(store.address, S3_CREDENTIALS);
    for (let round = 0; round < 5; round += 1) {
      const key = `race/${round}`;
      const contents = Array.from({ length: 12 }, () => randomBytes(20_000));
      const won = await Promise.all(
        contents.map(async (content, index) =>
          (index % 2 === 0 ? store : other).put(key, content, { ifAbsent: true }),
        ),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      const winner = contents[won.indexOf(true)];
      expect(winner && (await store.get(key))?.equals(winner)).toBe(true);
    }
    await other.close();
  });

  test('shows all of an object or nothing while it is put', async () => {
    const [dark, light] = [Buffer.alloc(3_000_000, 0), Buffer.alloc(3_000_000, 1)];
    await store.put('whole/object', dark);
    const written = new AbortController();
    const writer = (async () => {
      for (let turn = 0; turn < 10; turn += 1) await store.put('whole/object', turn % 2 ? dark : light);
    })().finally(() => {
      written.abort();
    });
    while (!written.signal.aborted) {
      const seen = await store.get('whole/object');
      expect(seen?.equals(dark) || seen?.equals(light)).toBe(true);
      for await (const { size } of store.list('whole/')) expect(size).toBe(3_000_000);
    }
    await writer;
  });

  test('lists what is below a prefix, with its size and its time', async () => {
    const before = Date.now();
    await store.put('list/a/1', Buffer.from('1'));
    await store.put('list/a/b/22', Buffer.from('22'));
    await store.put('list/ab/3', Buffer.from('333'));
    const found: [string, number][] = [];
    for await (const { key, size, modified } of store.list('list/a/')) {
      found.push([key, size]);
      // Some stores count in seconds.
      expect(Math.abs(modified.getTime() - before)).toBeLessThan(60_000);
    }
    expect(found).toHaveLength(2);
    expect(Object.fromEntries(found)).toEqual({
      'list/a/1': 1,
      'list/a/b/22': 2,
    });
    expect(await keysOf(store, 'list/')).toHaveLength(3);
  });

  test('lists more than fits on a page', async () => {
    const keys = Array.from({ length: 1100 }, (_, index) => `many/${String(index).padStart(4, '0')}`);
    for (let from = 0; from < keys.length; from += 50) {
      await Promise.all(keys.slice(from, from + 50).map(async (key) => store.put(key, Buffer.from(key))));
    }
    expect(await keysOf(store, 'many/')).toEqual(keys);
  }, 60_000);

  test.each(['', '/', '../x', 'a/../../x', 'a//b', 'a/.', '.hidden', 'a/.unfinished-1', 'a b', 'א', 'a\0b'])(
    'takes no key such as %j',
    async (key) => {
      await expect(store.put(key, Buffer.from('x'))).rejects.toThrow('not a key of a store');
      await expect(store.get(key)).rejects.toThrow('not a key of a store');
      await expect(store.delete(key)).rejects.toThrow('not a key of a store');
    },
  );

  test('is opened again by its address', async () => {
    await store.put('address', Buffer.from('the same'));
    const again = await openStore(store.address, S3_CREDENTIALS);
    expect(String(await again.get('address'))).toBe('the same');
    expect(again.address).toBe(store.address);
    await again.close();
  });
});
