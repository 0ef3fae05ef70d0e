import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encode } from './encoding.ts';
import { newKeyRing, withNewDataKey } from './keyring.ts';
import {
  createRepository,
  type OpenedRepository,
  openRepository,
  repositoryIn,
  SEGMENT_BYTES,
} from './open-repository.ts';
import { BackupProblem } from './problem.ts';
import { signed } from './signed.ts';
import type { BackupStore } from './store.ts';
import { joined, partsOf, preparedBackup } from './testing/content.ts';
import { flip, folderStores, keysOf, kindsOfStores, type TestStores } from './testing/stores.ts';

const ID = '20261201T060000Z-0123abcd';
const SYSTEM = '7300000000000000001';
const SEGMENT = { systemId: SYSTEM, segment: '000000010000000000000002' };
const SEGMENT_KEY = `systems/${SYSTEM}/wal/00000001/${SEGMENT.segment}`;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
/** Compresses well, so that tests do not wait for the disk. */
const segment = (fill: string) => Buffer.alloc(SEGMENT_BYTES, fill);

describe.each(kindsOfStores())('a repository in %s', (_, start) => {
  let stores: TestStores;
  beforeAll(async () => {
    stores = await start();
  });
  afterAll(async () => stores.remove());

  test('gives everything back, to whoever opens it later with the same keys', async () => {
    const store = await stores.open();
    const keyring = newKeyRing();
    const writer = await createRepository(store, keyring);
    const contents = [randomBytes(2_500_000), Buffer.alloc(0), Buffer.from('text')];
    const manifest = await preparedBackup(writer, ID, contents);
    await writer.putManifest(manifest);
    await writer.putSegment(SEGMENT, segment('a'));
    const next = { ...SEGMENT, segment: '000000010000000000000003' };
    await writer.putPartialSegment(next, Buffer.from('the beginning'));
    await writer.putTimelineHistory(SYSTEM, 26, Buffer.from('1\t0/3000000\treason\n'));
    const gap = { systemId: SYSTEM, timeline: 1, fromLsn: '0/4000000', toLsn: '0/5000000' };
    await writer.putGap({ ...gap, noticedAt: '2026-12-01T06:00:00Z', reason: 'the slot was lost' });
    const { size, sha256: hash, chunks } = await writer.putContent(partsOf(Buffer.from('a plan')));
    const attached = { key: 'files/1.pdf', size, sha256: hash, chunks: [...chunks] };
    await writer.putAttached(attached);
    await writer.putRecord('drills', '2026-12-01', { verdict: 'green' });

    const reader = await openRepository(store, keyring);
    expect(await reader.listManifests()).toEqual([manifest]);
    expect(await reader.getManifest(ID)).toEqual(manifest);
    expect(await reader.getManifest('20261201T060000Z-ffffffff')).toBeUndefined();
    expect(await reader.getManifest('../format.json')).toBeUndefined();
    for (const [index, file] of manifest.files.entries()) {
      const content = await joined(reader.getContent(file.chunks));
      expect(content.equals(contents[index] ?? Buffer.alloc(1))).toBe(true);
      expect(sha256(content)).toBe(file.sha256);
    }
    expect(manifest.files[1]?.chunks).toEqual([]);
    expect((await reader.getSegment(SEGMENT))?.content.equals(segment('a'))).toBe(true);
    expect(await reader.getSegment(next)).toEqual({ content: Buffer.from('the beginning'), partial: true });
    expect((await reader.listSegments(SYSTEM)).map(({ segment: name, partial }) => [name, partial])).toEqual([
      [SEGMENT.segment, false],
      [next.segment, true],
    ]);
    expect(await reader.getSegment({ ...SEGMENT, systemId: '1' })).toBeUndefined();
    expect(await reader.listTimelines(SYSTEM)).toEqual([{ timeline: 26, since: expect.any(Date) }]);
    expect(String(await reader.getTimelineHistory(SYSTEM, 26))).toContain('0/3000000');
    expect(await reader.listGaps(SYSTEM)).toMatchObject([gap]);
    expect(await reader.getAttached('files/1.pdf')).toEqual(attached);
    expect(await reader.getAttached('files/2.pdf')).toBeUndefined();
    expect(await reader.listRecords('drills')).toEqual([
      { name: '2026-12-01', record: { verdict: 'green' } },
    ]);
    await reader.deleteAttached('files/1.pdf');
    for await (const { key } of reader.listAttached()) throw new Error(`${key} was deleted`);

    await writer.putSegment(next, segment('b'));
    expect(await reader.getSegment(next)).toMatchObject({ partial: false });
    expect((await keysOf(store, `systems/${SYSTEM}/wal/`)).filter((key) => key.endsWith('.partial'))).toEqual(
      [],
    );
    await reader.deleteSegment(next);
    expect(await reader.getSegment(next)).toBeUndefined();
    await store.close();
  });

  test('says nothing of what it holds to whoever has the store', async () => {
    const store = await stores.open();
    const repository = await createRepository(store, newKeyRing());
    const secret = Buffer.from('the price of the radar '.repeat(3));
    await repository.putManifest(await preparedBackup(repository, ID, [secret]));
    const { size, sha256: hash, chunks } = await repository.putContent(partsOf(secret));
    await repository.putAttached({ key: 'files/radar.pdf', size, sha256: hash, chunks: [...chunks] });
    for (const key of await keysOf(store, '')) {
      const seen = `${key} ${(await store.get(key))?.toString('latin1')}`;
      for (const word of ['radar', 'purpose', sha256(secret), 'files/']) expect(seen).not.toContain(word);
    }
    await store.close();
  });
});

describe('a repository', () => {
  let stores: TestStores;
  let store: BackupStore;
  let repository: OpenedRepository;
  beforeAll(async () => {
    stores = await folderStores();
  });
  afterAll(async () => stores.remove());
  beforeEach(async () => {
    store = await stores.open();
    repository = await createRepository(store, newKeyRing());
  });

  /** As another process would have it, which remembers nothing. */
  const reopened = async () => openRepository(store, repository.keyring);

  test('is made once, and is that of its first keys', async () => {
    await createRepository(store, repository.keyring);
    expect(await repositoryIn(store)).toBe(repository.keyring.repository);
    await expect(createRepository(store, newKeyRing())).rejects.toMatchObject({
      kind: 'wrong-key',
      message: expect.stringContaining('the keys are those of'),
    });
    await expect(openRepository(await stores.open(), repository.keyring)).rejects.toMatchObject({
      kind: 'missing',
      object: 'format.json',
    });
  });

  test.each([
    ['{"format":2,"repository":{"in":"another shape"}}', 'unknown-format', 'has format 2'],
    ['{"format":1}', 'corrupt', 'is damaged'],
    ['{"format":"1"', 'corrupt', 'is damaged'],
    ['', 'corrupt', 'is damaged'],
  ])('whose format is %j is refused', async (text, kind, words) => {
    await store.put('format.json', Buffer.from(text));
    await expect(reopened()).rejects.toMatchObject({ kind, message: expect.stringContaining(words) });
  });

  test('stores each content once, whoever wrote it', async () => {
    const content = randomBytes(2_500_000);
    const first = await repository.putContent(partsOf(content, content));
    const again = await (await reopened()).putContent(partsOf(content, content));
    expect(again).toMatchObject({ chunks: first.chunks, sha256: first.sha256, newBytes: 0, storedBytes: 0 });
    const twice = await repository.putContent(partsOf(Buffer.alloc(5 * 1024 * 1024)));
    expect(twice).toMatchObject({ size: 5 * 1024 * 1024, newBytes: 1024 * 1024 });
    expect(await keysOf(store, 'chunks/')).toHaveLength(
      new Set([...first.chunks, ...twice.chunks].map((c) => c.name)).size,
    );
    expect(await repository.putContent(partsOf())).toMatchObject({ size: 0, chunks: [], storedBytes: 0 });
  });

  test('counts a chunk once when many put the same at a time', async () => {
    const all = await Promise.all(
      Array.from({ length: 10 }, async () => repository.putContent(partsOf(Buffer.from('the same')))),
    );
    expect(all.filter(({ storedBytes }) => storedBytes > 0)).toHaveLength(1);
  });

  test('has no backup after a crash between its chunks and its manifest, and uses these chunks later', async () => {
    const content = randomBytes(1_500_000);
    await preparedBackup(repository, ID, [content]);
    const later = await reopened();
    expect(await later.listManifests()).toEqual([]);
    expect(await later.putContent(partsOf(content))).toMatchObject({ newBytes: 0 });
  });

  test('takes no manifest over a chunk that was removed meanwhile, and the next backup stores it anew', async () => {
    const content = randomBytes(100_000);
    const manifest = await preparedBackup(repository, ID, [content]);
    const name = manifest.files[0]?.chunks[0]?.name ?? '';
    await store.delete(`chunks/${name.slice(0, 2)}/${name}`);
    await expect(repository.putManifest(manifest)).rejects.toMatchObject({
      kind: 'missing',
      object: `chunks/${name.slice(0, 2)}/${name}`,
    });
    expect(await repository.listManifests()).toEqual([]);
    const next = await preparedBackup(repository, ID, [content]);
    await repository.putManifest(next);
    const file = next.files[0];
    expect((await joined(repository.getContent(file?.chunks ?? []))).equals(content)).toBe(true);
  });

  test('takes no attached file over a chunk that was removed meanwhile', async () => {
    const put = async () => {
      const { size, sha256: hash, chunks } = await repository.putContent(partsOf(Buffer.from('a plan')));
      await repository.putAttached({ key: 'files/1', size, sha256: hash, chunks: [...chunks] });
    };
    await put();
    for (const key of await keysOf(store, 'chunks/')) await store.delete(key);
    await expect(put()).rejects.toMatchObject({ kind: 'missing' });
    await put();
    expect(await keysOf(store, 'chunks/')).toHaveLength(1);
  });

  test('takes one backup of a name', async () => {
    const manifest = await preparedBackup(repository, ID, []);
    const taken = await Promise.allSettled([
      repository.putManifest(manifest),
      (await reopened()).putManifest(manifest),
    ]);
    expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(repository.putManifest(manifest)).rejects.toMatchObject({ kind: 'busy' });
  });

  test('lists backups newest first, and each that cannot be read by its name', async () => {
    const ids = [ID, '20261202T060000Z-0123abcd', '20261203T060000Z-0123abcd', '20261204T060000Z-0123abcd'];
    for (const id of ids) await repository.putManifest(await preparedBackup(repository, id, []));
    const [first, second, third, fourth] = ids.map((id) => `backups/${id}`);
    await flip(store, second ?? '', 100);
    await store.put(third ?? '', (await store.get(first ?? '')) ?? Buffer.alloc(0));
    const foreign = newKeyRing();
    const forged = signed(foreign, fourth ?? '', await preparedBackup(repository, ids[3] ?? '', []));
    await store.put(fourth ?? '', await encode(repository.keyring, fourth ?? '', forged));
    const found = await repository.listManifests();
    expect(found.map((each) => [each.id, 'unreadable' in each && each.unreadable])).toEqual([
      [ids[3], expect.stringContaining('not signed by this system')],
      [ids[2], expect.stringContaining('damaged')],
      [ids[1], expect.stringContaining('damaged')],
      [ids[0], false],
    ]);
    await expect(repository.getManifest(ids[1] ?? '')).rejects.toMatchObject({
      kind: 'corrupt',
      object: second,
    });
  });

  test('tells a stray object among the backups, and no backup that was removed as it was listed', async () => {
    await repository.putManifest(await preparedBackup(repository, ID, []));
    await store.put('backups/notes.txt', Buffer.from('hello'));
    expect(await repository.listManifests()).toMatchObject([
      { id: 'notes.txt', unreadable: expect.any(String) },
      { id: ID },
    ]);
    const pruning: BackupStore = {
      ...store,
      get: async (key) => {
        await store.delete(key);
        return store.get(key);
      },
    };
    const keyring = repository.keyring;
    const racing = await openRepository(
      { ...pruning, get: async (key) => (key === 'format.json' ? store : pruning).get(key) },
      keyring,
    );
    expect(await racing.listManifests()).toEqual([]);
  });

  test('does not take a store that fails for one without backups', async () => {
    await repository.putManifest(await preparedBackup(repository, ID, []));
    const failing: BackupStore = {
      ...store,
      get: async (key) => {
        if (key === 'format.json') return store.get(key);
        throw new BackupProblem('unavailable', 'the network is down');
      },
    };
    const cut = await openRepository(failing, repository.keyring);
    await expect(cut.listManifests()).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(cut.getManifest(ID)).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(cut.getSegment(SEGMENT)).rejects.toMatchObject({ kind: 'unavailable' });
  });

  describe('in which something is damaged names it, and never gives something else', () => {
    const content = randomBytes(2_100_000);
    let keys: Record<'chunk' | 'segment' | 'history' | 'gap' | 'attached' | 'record' | 'manifest', string>;
    let read: Record<keyof typeof keys, () => Promise<unknown>>;

    beforeEach(async () => {
      const manifest = await preparedBackup(repository, ID, [content]);
      await repository.putManifest(manifest);
      await repository.putSegment(SEGMENT, segment('a'));
      await repository.putTimelineHistory(SYSTEM, 2, Buffer.from('1\t0/3000000\tx\n'));
      const gap = {
        systemId: SYSTEM,
        timeline: 1,
        fromLsn: '0/4000000',
        toLsn: '0/5000000',
        noticedAt: '',
        reason: '',
      };
      await repository.putGap(gap);
      const file = manifest.files[0];
      const chunks = file?.chunks ?? [];
      await repository.putAttached({
        key: 'files/1',
        size: content.length,
        sha256: file?.sha256 ?? '',
        chunks,
      });
      await repository.putRecord('drills', '1', { verdict: 'green' });
      const name = chunks[1]?.name ?? '';
      const [attached = ''] = await keysOf(store, 'attached/');
      keys = {
        chunk: `chunks/${name.slice(0, 2)}/${name}`,
        segment: SEGMENT_KEY,
        history: `systems/${SYSTEM}/history/00000002`,
        gap: `systems/${SYSTEM}/gaps/1-0-4000000-0-5000000`,
        attached,
        record: 'records/drills/1',
        manifest: `backups/${ID}`,
      };
      read = {
        chunk: async () => joined(repository.getContent(chunks)),
        segment: async () => repository.getSegment(SEGMENT),
        history: async () => repository.getTimelineHistory(SYSTEM, 2),
        gap: async () => repository.listGaps(SYSTEM),
        attached: async () => repository.getAttached('files/1'),
        record: async () => repository.listRecords('drills'),
        manifest: async () => repository.getManifest(ID),
      };
    });

    test.each(['chunk', 'segment', 'history', 'gap', 'attached', 'record', 'manifest'] as const)(
      'a %s',
      async (kind) => {
        const key = keys[kind];
        const whole = (await store.get(key)) ?? Buffer.alloc(0);
        expect(await read[kind]()).toBeDefined();
        for (const at of [0, 4, 5, 10, 20, 30, Math.trunc(whole.length / 2), -1]) {
          await flip(store, key, at);
          await expect(read[kind]()).rejects.toMatchObject({ name: 'BackupProblem', object: key });
          await flip(store, key, at);
        }
        for (const length of [0, 10, whole.length - 1]) {
          await store.put(key, whole.subarray(0, length));
          await expect(read[kind]()).rejects.toMatchObject({ kind: 'corrupt', object: key });
        }
        await store.put(key, await encode(newKeyRing(), key, Buffer.from('x')));
        await expect(read[kind]()).rejects.toMatchObject({ kind: 'wrong-key', object: key });
      },
    );

    test('a chunk that is missing, as soon as it is met', async () => {
      await store.delete(keys.chunk);
      const given: Buffer[] = [];
      const manifest = await repository.getManifest(ID);
      const reading = (async () => {
        for await (const part of repository.getContent(manifest?.files[0]?.chunks ?? [])) given.push(part);
      })();
      await expect(reading).rejects.toMatchObject({ kind: 'missing', object: keys.chunk });
      expect(given.map(({ length }) => length)).toEqual([1024 * 1024]);
    });

    test('a chunk in the place of another one', async () => {
      const { chunks } = await repository.putContent(partsOf(Buffer.from('another')));
      const name = chunks[0]?.name ?? '';
      await store.put(keys.chunk, (await store.get(`chunks/${name.slice(0, 2)}/${name}`)) ?? Buffer.alloc(0));
      await expect(read.chunk()).rejects.toMatchObject({ kind: 'corrupt', object: keys.chunk });
      // Even by whoever has the keys.
      await store.put(keys.chunk, await encode(repository.keyring, keys.chunk, Buffer.from('another')));
      await expect(read.chunk()).rejects.toMatchObject({ kind: 'corrupt', object: keys.chunk });
    });
  });

  describe('the log in it', () => {
    test('may be sent twice, and is refused with another content', async () => {
      await repository.putSegment(SEGMENT, segment('a'));
      await repository.putSegment(SEGMENT, segment('a'));
      await expect(repository.putSegment(SEGMENT, segment('b'))).rejects.toMatchObject({
        kind: 'foreign',
        object: SEGMENT_KEY,
        message: expect.stringContaining('another server'),
      });
      await expect(repository.putSegment(SEGMENT, Buffer.from('short'))).rejects.toThrow(
        'a segment of 5 bytes',
      );
      expect((await repository.getSegment(SEGMENT))?.content.equals(segment('a'))).toBe(true);
    });

    test('is found while a segment is completed between two looks', async () => {
      await repository.putPartialSegment(SEGMENT, Buffer.from('x'));
      const racing: BackupStore = {
        ...store,
        get: async (key) => {
          const found = await store.get(key);
          if (found === undefined && key === SEGMENT_KEY) await repository.putSegment(SEGMENT, segment('a'));
          return found;
        },
      };
      const reader = await openRepository(racing, repository.keyring);
      expect(await reader.getSegment(SEGMENT)).toMatchObject({ partial: false });
    });

    test('is stored by a writer who may not delete', async () => {
      const appendOnly: BackupStore = {
        ...store,
        delete: async () => {
          throw new BackupProblem('unavailable', 'deleting is not allowed');
        },
      };
      const writer = await openRepository(appendOnly, repository.keyring);
      await writer.putPartialSegment(SEGMENT, Buffer.from('x'));
      await writer.putSegment(SEGMENT, segment('a'));
      expect(await writer.getSegment(SEGMENT)).toMatchObject({ partial: false });
      expect(await writer.listSegments(SYSTEM)).toMatchObject([{ segment: SEGMENT.segment, partial: false }]);
    });

    test('has only segments and timelines in its lists, whatever else lies there', async () => {
      await repository.putSegment(SEGMENT, segment('a'));
      await store.put(`${SEGMENT_KEY}.tmp`, Buffer.from('x'));
      await store.put(`systems/${SYSTEM}/wal/notes`, Buffer.from('x'));
      await store.put(`systems/${SYSTEM}/history/notes`, Buffer.from('x'));
      await store.put(`systems/${SYSTEM}1/wal/00000001/000000010000000000000009`, Buffer.from('x'));
      expect(await repository.listSegments(SYSTEM)).toMatchObject([{ segment: SEGMENT.segment }]);
      expect(await repository.listTimelines(SYSTEM)).toEqual([]);
    });
  });

  test('keeps its records in the order of their names, and none is replaced', async () => {
    for (const name of ['2', '1', '3']) await repository.putRecord('drills', name, { name });
    await expect(repository.putRecord('drills', '1', { name: 'other' })).rejects.toMatchObject({
      kind: 'busy',
    });
    expect((await repository.listRecords('drills')).map(({ record }) => record)).toEqual([
      { name: '1' },
      { name: '2' },
      { name: '3' },
    ]);
    expect(await repository.listRecords('exports')).toEqual([]);
  });

  test('is read after its data key changed, and its chunks are not stored again', async () => {
    const content = randomBytes(50_000);
    await repository.putManifest(await preparedBackup(repository, ID, [content]));
    const changed = await openRepository(store, withNewDataKey(repository.keyring));
    expect(await changed.putContent(partsOf(content))).toMatchObject({ newBytes: 0 });
    const manifest = await changed.getManifest(ID);
    expect((await joined(changed.getContent(manifest?.files[0]?.chunks ?? []))).equals(content)).toBe(true);
  });

  test('lets one back up while the other hears who does', async () => {
    await repository.withLease('backup', 'the nightly backup', async () => {
      await expect(
        (await reopened()).withLease('backup', 'another', async () => 'done'),
      ).rejects.toMatchObject({
        kind: 'busy',
        message: expect.stringContaining('the nightly backup is at work'),
      });
      expect(await repository.withLease('prune', 'another', async () => 'done')).toBe('done');
    });
  });

  test('that has no room for a chunk says so, and stores it when there is', async () => {
    let full = true;
    const tight: BackupStore = {
      ...store,
      put: async (...given) => {
        if (full) throw new BackupProblem('full', 'no room', { object: given[0] });
        return store.put(...given);
      },
    };
    const writer = await openRepository(tight, repository.keyring);
    const content = randomBytes(3_000_000);
    await expect(writer.putContent(partsOf(content))).rejects.toMatchObject({ kind: 'full' });
    full = false;
    expect(await writer.putContent(partsOf(content))).toMatchObject({ newBytes: 3_000_000 });
  });
});
