import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type S3Server, startS3 } from '@calculaud/testing/s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encode, decode } from './encoding.ts';
import { openFolderStore } from './folder-store.ts';
import { keyedName, newKeyRing, parseKeyRing, printKeyRing, readKeyRing, writeKeyRing } from './keyring.ts';
import type { BackupManifest } from './manifest.ts';
import { createRepository, openRepository } from './open-repository.ts';
import { openStore } from './open-store.ts';
import { newRecoveryIdentity, openWithKit, printKit, readKit, wrapKeys } from './recovery-kit.ts';
import type { BackupStore } from './store.ts';

let folder: string;
let s3: S3Server;
let paths = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-repository-'));
  s3 = await startS3();
}, 60_000);
afterAll(async () => {
  await s3.remove();
  await rm(folder, { recursive: true, force: true });
});

const newPath = () => join(folder, `store-${(paths += 1)}`);
const stores: Record<string, () => Promise<BackupStore>> = {
  'a folder': async () => openStore(newPath(), undefined),
  'a bucket': async () => {
    paths += 1;
    return openStore(bucket(`/store-${paths}`), credentials());
  },
};

const bucket = (path: string) =>
  `s3://${s3.environment['S3_BUCKET_NAME']}${path}?endpoint=${s3.environment['S3_ENDPOINT_URL']}`;
const credentials = () => ({
  accessKeyId: s3.environment['AWS_ACCESS_KEY_ID'] ?? '',
  secretAccessKey: s3.environment['AWS_SECRET_ACCESS_KEY'] ?? '',
});

async function* parts(...contents: readonly Uint8Array[]) {
  for (const content of contents) yield content;
}

async function all(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const found: Buffer[] = [];
  for await (const part of content) found.push(part);
  return Buffer.concat(found);
}

describe.each(Object.entries(stores))('%s', (_name, open) => {
  test('keeps objects, lists them, and tells that one is not there', async () => {
    const store = await open();
    expect(await store.get('a/b')).toBeUndefined();
    expect(await store.put('a/b', Buffer.from('one'))).toBe(true);
    expect(await store.put('a/b', Buffer.from('two'))).toBe(true);
    expect(await store.put('a/c', Buffer.alloc(0))).toBe(true);
    expect((await store.get('a/b'))?.toString()).toBe('two');
    const listed: string[] = [];
    for await (const { key, size } of store.list('a/')) listed.push(`${key} ${size}`);
    expect(listed.toSorted()).toEqual(['a/b 3', 'a/c 0']);
    await store.delete('a/b');
    await store.delete('a/b');
    expect(await store.get('a/b')).toBeUndefined();
    await store.close();
  });

  test('gives a key to one of many writers', async () => {
    const store = await open();
    const writers = Array.from({ length: 8 }, async (_, n) =>
      store.put('one/key', Buffer.from(String(n)), { ifAbsent: true }),
    );
    const won = await Promise.all(writers);
    expect(won.filter(Boolean)).toHaveLength(1);
    expect((await store.get('one/key'))?.toString()).toBe(String(won.indexOf(true)));
    await store.close();
  });

  test('holds a repository: content is stored once, and comes back as it was', async () => {
    const store = await open();
    const repository = await createRepository(store, newKeyRing());
    const large = randomBytes(2.5 * 1024 * 1024);
    const first = await repository.putContent(parts(large.subarray(0, 7), large.subarray(7)));
    expect(first).toMatchObject({ size: large.length, newBytes: large.length });
    expect(first.chunks.map(({ size }) => size)).toEqual([1024 * 1024, 1024 * 1024, 512 * 1024]);
    expect(await repository.putContent(parts(large))).toMatchObject({
      newBytes: 0,
      storedBytes: 0,
      chunks: first.chunks,
    });
    expect((await all(repository.getContent(first.chunks))).equals(large)).toBe(true);
    expect(await repository.putContent(parts())).toMatchObject({ size: 0, chunks: [] });
    await repository.close();
  });

  test('lets one at a time hold a lease', async () => {
    const store = await open();
    const repository = await createRepository(store, newKeyRing());
    await repository.withLease('backup', 'dana', async () => {
      await expect(repository.withLease('backup', 'ben', async () => 0)).rejects.toMatchObject({
        kind: 'busy',
        message: expect.stringContaining('dana'),
      });
    });
    expect(await repository.withLease('backup', 'ben', async () => 7)).toBe(7);
    await repository.close();
  });
});

test('what a killed writer left is no object', async () => {
  const path = newPath();
  const store = await openFolderStore(path);
  await store.put('a/b', Buffer.from('x'));
  await writeFile(join(path, 'a', '.unfinished-1'), 'half');
  const listed: string[] = [];
  for await (const { key } of store.list('a/')) listed.push(key);
  expect(listed).toEqual(['a/b']);
});

test('a folder that is gone is not an empty one', async () => {
  const path = newPath();
  const store = await openFolderStore(path);
  await rm(path, { recursive: true });
  await expect(store.get('a')).rejects.toMatchObject({ kind: 'unavailable' });
  await expect(store.put('a', Buffer.from('x'))).rejects.toMatchObject({ kind: 'unavailable' });
  await expect(store.list('a/')[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    kind: 'unavailable',
  });
  await expect(readdir(path)).rejects.toThrow('ENOENT');
});

test.each(['../x', '/x', 'a//b', 'a/../b', ''])('"%s" is no key', async (key) => {
  const store = await openFolderStore(newPath());
  await expect(store.put(key, Buffer.from('x'))).rejects.toThrow('not a key');
});

test('a store whose keys are refused, or that has no such bucket, is told in words', async () => {
  const stranger = { accessKeyId: 'nobody', secretAccessKey: 'nothing' };
  await expect(openStore(bucket('/x'), stranger)).rejects.toMatchObject({ kind: 'unavailable' });
  const endpoint = s3.environment['S3_ENDPOINT_URL'];
  await expect(openStore(`s3://no-such-bucket?endpoint=${endpoint}`, credentials())).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('no-such-bucket'),
  });
});

describe('an object', () => {
  const keyring = newKeyRing();
  const content = Buffer.from('the same and the same and the same and the same and the same and the same');

  test('is another one each time, and says nothing of its content', async () => {
    const [one, other] = [await encode(keyring, 'a', content), await encode(keyring, 'a', content)];
    expect(one.equals(other)).toBe(false);
    expect(one.includes('same')).toBe(false);
    expect((await decode(keyring, 'a', one)).equals(content)).toBe(true);
    expect(one.length).toBeLessThan(content.length + 46);
  });

  test('is nothing under another name, nor with one bit turned, nor cut', async () => {
    const object = await encode(keyring, 'a', content);
    await expect(decode(keyring, 'b', object)).rejects.toMatchObject({ kind: 'corrupt', object: 'b' });
    for (let at = 0; at < object.length; at += 1) {
      const turned = Buffer.from(object);
      turned[at] = (turned[at] ?? 0) ^ 4;
      await expect(decode(keyring, 'a', turned)).rejects.toMatchObject({ object: 'a' });
      await expect(decode(keyring, 'a', object.subarray(0, at))).rejects.toMatchObject({
        kind: 'corrupt',
      });
    }
  });

  test('of another key is told as such', async () => {
    const object = await encode(newKeyRing(), 'a', content);
    await expect(decode(keyring, 'a', object)).rejects.toMatchObject({ kind: 'wrong-key' });
  });
});

describe('keys', () => {
  test('are written for their owner alone, and read again', async () => {
    const keyring = newKeyRing();
    const path = newPath();
    await writeKeyRing(path, keyring);
    const read = await readKeyRing(path);
    expect(read && printKeyRing(read)).toBe(printKeyRing(keyring));
    expect(await readKeyRing(`${path}.not`)).toBeUndefined();
  });

  test('that are damaged are refused, and nothing of them is shown', () => {
    const text = printKeyRing(newKeyRing());
    const secret = /"namingKey": "([^"]+)"/.exec(text)?.[1] ?? '';
    for (const wrong of ['', '{}', text.slice(0, -40), text.replace(secret, 'AAAA')]) {
      expect(() => parseKeyRing(wrong, 'backup.keys')).toThrow('backup.keys does not hold the keys');
    }
  });

  test('name the same content alike, and nobody else does', () => {
    const keyring = newKeyRing();
    const name = keyedName(keyring, 'chunk', 'x');
    expect(keyedName(keyring, 'chunk', 'x')).toBe(name);
    expect(keyedName(keyring, 'attached', 'x')).not.toBe(name);
    expect(keyedName(newKeyRing(), 'chunk', 'x')).not.toBe(name);
  });
});

test('a recovery kit opens its repository, and no other one', async () => {
  const store = await openFolderStore(newPath());
  const keyring = newKeyRing();
  const repository = await createRepository(store, keyring);
  const identity = await newRecoveryIdentity();
  await wrapKeys(store, keyring, identity.recipient);
  const kit = printKit({
    organisation: 'Test',
    repositories: [store.address],
    identity,
    appVersion: '1.0.0',
    madeAt: new Date(0),
  });
  const opened = await openWithKit(store, readKit(kit, 'kit.txt'));
  expect(printKeyRing(opened)).toBe(printKeyRing(keyring));
  const { secret } = await newRecoveryIdentity();
  await expect(openWithKit(store, secret)).rejects.toMatchObject({ kind: 'wrong-key' });
  await expect(openWithKit(await openFolderStore(newPath()), secret)).rejects.toMatchObject({
    kind: 'wrong-key',
  });
  expect(() => readKit('nothing', 'kit.txt')).toThrow('kit.txt');
  await repository.close();
});

const manifest = (chunk: string): BackupManifest => ({
  format: 1,
  id: '20261201T030000Z-1a2b3c4d',
  kind: 'base',
  reason: 'requested',
  startedAt: '2026-12-01T03:00:00.000Z',
  finishedAt: '2026-12-01T03:00:01.000Z',
  appVersion: '1.0.0',
  postgresVersion: '18.4',
  systemId: '7',
  timeline: 1,
  startLsn: '0/2000028',
  stopLsn: '0/2000100',
  migration: null,
  tables: {},
  directories: ['base'],
  files: [
    { path: 'PG_VERSION', mode: 0o600, size: 3, sha256: 'a'.repeat(64), chunks: [{ name: chunk, size: 3 }] },
  ],
  postgresManifest: { size: 0, sha256: 'a'.repeat(64), chunks: [] },
  attached: { watermark: null, objects: 0, bytes: 0 },
  bytes: { total: 3, new: 3, stored: 3 },
});

test('a manifest is written only over chunks that are there, once, and is believed only with our signature', async () => {
  const path = newPath();
  const store = await openFolderStore(path);
  const keyring = newKeyRing();
  const repository = await createRepository(store, keyring);
  await expect(repository.putManifest(manifest('b'.repeat(64)))).rejects.toMatchObject({ kind: 'missing' });
  expect(await repository.listManifests()).toEqual([]);
  const { chunks } = await repository.putContent(parts(Buffer.from('18\n')));
  const good = manifest(chunks[0]?.name ?? '');
  await repository.putManifest(good);
  await expect(repository.putManifest(good)).rejects.toMatchObject({ kind: 'busy' });
  expect(await repository.getManifest(good.id)).toEqual(good);
  expect(await repository.getManifest('../../etc/passwd')).toBeUndefined();
  // Who has the keys to encrypt, and not the one to sign, makes none.
  const forger = { ...keyring, signingKey: newKeyRing().signingKey };
  await rm(join(path, 'backups', good.id));
  await (await openRepository(store, forger)).putManifest(good);
  expect(await repository.listManifests()).toEqual([
    { id: good.id, unreadable: expect.stringContaining('not signed by this system') },
  ]);
});

test('segments of one name are one segment', async () => {
  const path = newPath();
  const repository = await createRepository(await openFolderStore(path), newKeyRing());
  const ref = { systemId: '7', segment: '000000010000000000000002' };
  const content = Buffer.alloc(16 * 1024 * 1024, 1);
  await repository.putPartialSegment(ref, content.subarray(0, 100));
  expect(await repository.getSegment(ref)).toMatchObject({ partial: true });
  await repository.putSegment(ref, content);
  await repository.putSegment(ref, content);
  expect(await repository.listSegments('7')).toMatchObject([{ segment: ref.segment, partial: false }]);
  await expect(repository.putSegment(ref, Buffer.alloc(content.length, 2))).rejects.toMatchObject({
    kind: 'foreign',
  });
  expect((await readFile(join(path, 'systems/7/wal/00000001', ref.segment))).length).toBeLessThan(100_000);
});
