import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  type KeyRing,
  keyedName,
  newKeyRing,
  parseKeyRing,
  printKeyRing,
  readKeyRing,
  withNewDataKey,
  writeKeyRing,
} from './keyring.ts';
import { opened, signed } from './signed.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-keys-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

const same = (one: KeyRing, other: KeyRing) => expect(printKeyRing(one)).toBe(printKeyRing(other));

describe('keys', () => {
  test('are read from their file as they were written, by their owner alone', async () => {
    const path = join(folder, 'backup.keys');
    expect(await readKeyRing(path)).toBeUndefined();
    const first = newKeyRing();
    await writeKeyRing(path, first);
    const changed = withNewDataKey(first);
    await writeKeyRing(path, changed);
    const read = await readKeyRing(path);
    expect(read?.dataKeys.size).toBe(2);
    if (read) same(read, changed);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['backup.keys']);
  });

  test('replace what a killed writer left, whoever could read that', async () => {
    const path = join(folder, 'killed.keys');
    await writeFile(`${path}.unfinished`, 'x'.repeat(10_000), { mode: 0o644 });
    await writeKeyRing(path, newKeyRing());
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readKeyRing(path))?.dataKeys.size).toBe(1);
  });

  test('sign what they alone open, at its place alone', () => {
    const keyring = newKeyRing();
    const record = { verdict: 'green' };
    const bytes = signed(keyring, 'records/drills/1', record);
    expect(opened(parseKeyRing(printKeyRing(keyring), 'here'), 'records/drills/1', bytes)).toEqual(record);
    expect(() => opened(keyring, 'records/drills/2', bytes)).toThrow('not signed by this system');
    expect(() => opened(newKeyRing(), 'records/drills/1', bytes)).toThrow('not signed by this system');
    const forged = Buffer.from(bytes.toString().replace('green', 'greed'));
    expect(() => opened(keyring, 'records/drills/1', forged)).toThrow('not signed by this system');
    expect(() => opened(keyring, 'records/drills/1', bytes.subarray(0, 30))).toThrow('is damaged');
  });

  test('make names that others cannot make, and others for other things', () => {
    const [mine, theirs] = [newKeyRing(), newKeyRing()];
    expect(keyedName(mine, 'chunk', 'x')).toMatch(/^[0-9a-f]{64}$/);
    expect(keyedName(mine, 'chunk', 'x')).toBe(keyedName(mine, 'chunk', Buffer.from('x')));
    expect(keyedName(mine, 'chunk', 'x')).not.toBe(keyedName(theirs, 'chunk', 'x'));
    expect(keyedName(mine, 'chunk', 'x')).not.toBe(keyedName(mine, 'attached', 'x'));
  });

  const good = z.looseObject({ namingKey: z.string() }).parse(JSON.parse(printKeyRing(newKeyRing())));
  test.each([
    ['nothing', ''],
    ['a part of the file', printKeyRing(newKeyRing()).slice(0, 200)],
    ['another format', JSON.stringify({ ...good, format: 2 })],
    ['a short key', JSON.stringify({ ...good, namingKey: 'c2hvcnQ=' })],
    ['a current key that is not there', JSON.stringify({ ...good, currentDataKey: '0123456789abcdef' })],
    ['no key to sign with', JSON.stringify({ ...good, signingKey: 'nonsense' })],
    ['more than is known', JSON.stringify({ ...good, more: 1 })],
  ])('are refused when there is %s, and their secrets are not told', async (_, text) => {
    const path = join(folder, 'broken.keys');
    await writeFile(path, text);
    const refused = await readKeyRing(path).catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: 'wrong-key', object: path });
    const told = refused instanceof Error ? `${refused.message} ${String(refused.cause)}` : '';
    for (const secret of [good.namingKey, 'c2hvcnQ=', 'nonsense']) expect(told).not.toContain(secret);
    expect(await readFile(path, 'utf8')).toBe(text);
  });
});
