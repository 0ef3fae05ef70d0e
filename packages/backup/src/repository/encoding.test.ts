import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { decode, encode } from './encoding.ts';
import { newKeyRing, withNewDataKey } from './keyring.ts';
import { BackupProblem } from './problem.ts';

const keyring = newKeyRing();
const text = Buffer.from('what the organisation entered '.repeat(1000));

describe('an object', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.from('x')],
    ['text', text],
    ['what cannot be compressed', randomBytes(100_000)],
    ['a whole chunk of zeros', Buffer.alloc(1024 * 1024)],
  ])('of %s is read as it was written', async (_, content) => {
    const object = await encode(keyring, 'chunks/aa/x', content);
    expect((await decode(keyring, 'chunks/aa/x', object)).equals(content)).toBe(true);
  });

  test('is compressed where that helps, and at most 42 bytes longer where not', async () => {
    expect((await encode(keyring, 'k', text)).length).toBeLessThan(text.length / 10);
    expect((await encode(keyring, 'k', randomBytes(1000))).length).toBe(1042);
  });

  test('shows nothing of its content, and is another one each time', async () => {
    const [one, other] = [await encode(keyring, 'k', text), await encode(keyring, 'k', text)];
    expect(one.equals(other)).toBe(false);
    expect(one.includes('organisation')).toBe(false);
  });

  test('in which any bit is another one is never taken for good, and is named', async () => {
    const object = await encode(keyring, 'backups/x', Buffer.from('a small object'));
    const kinds = new Map<string, number>();
    for (let bit = 0; bit < object.length * 8; bit += 1) {
      const damaged = Buffer.from(object);
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const problem = await decode(keyring, 'backups/x', damaged).catch((error: unknown) => error);
      expect(problem).toMatchObject({ name: 'BackupProblem', object: 'backups/x' });
      if (problem instanceof BackupProblem) kinds.set(problem.kind, (kinds.get(problem.kind) ?? 0) + 1);
    }
    // One byte tells the version and eight the key; nobody can know that they were other ones.
    expect(Object.fromEntries(kinds)).toEqual({
      'unknown-format': 8,
      'wrong-key': 64,
      corrupt: (object.length - 9) * 8,
    });
  });

  test('that was cut at any place is damaged', async () => {
    const object = await encode(keyring, 'backups/x', Buffer.from('a small object'));
    for (let length = 0; length < object.length; length += 1) {
      await expect(decode(keyring, 'backups/x', object.subarray(0, length))).rejects.toMatchObject({
        kind: 'corrupt',
        object: 'backups/x',
      });
    }
    await expect(
      decode(keyring, 'backups/x', Buffer.concat([object, Buffer.alloc(1)])),
    ).rejects.toMatchObject({ kind: 'corrupt' });
  });

  test('does not pass for another one', async () => {
    const object = await encode(keyring, 'backups/old', text);
    await expect(decode(keyring, 'backups/new', object)).rejects.toMatchObject({
      kind: 'corrupt',
      object: 'backups/new',
    });
  });

  test('of another repository asks for its keys', async () => {
    const object = await encode(newKeyRing(), 'k', text);
    await expect(decode(keyring, 'k', object)).rejects.toMatchObject({
      kind: 'wrong-key',
      message: expect.stringContaining('recovery kit'),
    });
  });

  test('of a later version is refused, naming it', async () => {
    const object = await encode(keyring, 'k', text);
    object[4] = 2;
    await expect(decode(keyring, 'k', object)).rejects.toMatchObject({
      kind: 'unknown-format',
      message: expect.stringContaining('format 2'),
    });
  });

  test('that was written before the data key changed is still read', async () => {
    const changed = withNewDataKey(keyring);
    const before = await encode(keyring, 'k', text);
    const after = await encode(changed, 'k', text);
    expect((await decode(changed, 'k', before)).equals(text)).toBe(true);
    expect((await decode(changed, 'k', after)).equals(text)).toBe(true);
    await expect(decode(keyring, 'k', after)).rejects.toMatchObject({ kind: 'wrong-key' });
  });
});
