import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStorage, type Storage } from './storage.ts';

const about = { contentDisposition: 'attachment' };

let folder: string;
let directory: string;
let storage: Storage;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-test-storage-'));
  directory = join(folder, 'files');
  storage = await openStorage({ kind: 'local', directory });
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('an object is one file under its key, for the owner of the process only', async () => {
  await storage.put('a/b/c.txt', Readable.from(['one ', 'two']), about);
  expect(await readFile(join(directory, 'a/b/c.txt'), 'utf8')).toBe('one two');
  expect((await stat(join(directory, 'a/b/c.txt'))).mode & 0o777).toBe(0o600);
  expect((await stat(directory)).mode & 0o777).toBe(0o700);
  const object = await storage.open('a/b/c.txt');
  expect(object?.size).toBe(7);
  expect(object && (await text(object.stream))).toBe('one two');
});

test('an object that is not complete has no name yet, and nothing of it is left when it breaks off', async () => {
  let during: string[] = [];
  const content = async function* () {
    yield Buffer.from('some');
    // By now the file has been opened.
    await expect.poll(async () => (during = await readdir(directory))).not.toEqual([]);
    throw new Error('the sender has gone');
  };
  await expect(storage.put('x', content(), about)).rejects.toThrow('the sender has gone');
  expect(during).toEqual(['x.unfinished']);
  expect(await readdir(directory)).toEqual([]);
  expect(await storage.open('x')).toBeUndefined();
});

test.each(['../other', '/etc/hostname', 'a/../../other', '.', ''])(
  'the key %j, which leads out of the folder, is nothing to read, write or delete',
  async (key) => {
    await writeFile(join(folder, 'other'), 'untouched');
    expect(await storage.open(key)).toBeUndefined();
    await storage.delete(key);
    await expect(storage.put(key, Readable.from(['x']), about)).rejects.toThrow('leads out of the folder');
    expect(await readFile(join(folder, 'other'), 'utf8')).toBe('untouched');
  },
);

test('deleting what is not there is no error, and leaves what an interrupted upload left to nobody', async () => {
  await storage.delete('x');
  await mkdir(directory);
  await writeFile(join(directory, 'x.unfinished'), '');
  await storage.delete('x');
  expect(await readdir(directory)).toEqual([]);
});

test('the check leaves nothing behind, and its answer is kept for a while', async () => {
  await storage.check();
  expect(await readdir(directory)).toEqual([]);
  await rm(directory, { recursive: true });
  await writeFile(directory, 'in the place of the folder');
  await storage.check();
  const asNew = await openStorage({ kind: 'local', directory });
  await expect(asNew.check()).rejects.toThrow('EEXIST');
});
