import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type KeyRing, newKeyRing, printKeyRing, withNewDataKey } from './keyring.ts';
import { createRepository, openRepository } from './open-repository.ts';
import { makeRecoveryKit, openWithKit, readRecoveryKit } from './recovery-kit.ts';
import type { BackupStore } from './store.ts';
import { flip, folderStores, keysOf, type TestStores } from './testing/stores.ts';
import { type AgeKeyPair, newAgeKeyPair, recipientsIn, unwrapKeys, wrapKeys } from './wrapped-keys.ts';

let stores: TestStores;
let store: BackupStore;
let keyring: KeyRing;
let mine: AgeKeyPair;
beforeAll(async () => {
  stores = await folderStores();
});
afterAll(async () => stores.remove());
beforeEach(async () => {
  store = await stores.open();
  keyring = newKeyRing();
  mine = await newAgeKeyPair();
});

const kitOf = (owner: KeyRing, pair: AgeKeyPair): string =>
  makeRecoveryKit({
    identity: pair.identity,
    keyring: owner,
    addresses: [store.address, 's3://backup/calculaud?endpoint=https://s3.example.org'],
    restoreCommand: 'calculaud restore --to latest --into ./restored --recovery-kit recovery-kit.txt',
    madeAt: new Date('2026-12-01T06:00:00Z'),
    appVersion: '2.0.0',
  });

describe('the recovery kit', () => {
  test('alone opens a repository when the server is gone', async () => {
    const before = await createRepository(store, keyring);
    await wrapKeys(store, keyring, { add: [mine.recipient] });
    await before.putRecord('drills', '1', { verdict: 'green' });
    const kit = readRecoveryKit(kitOf(keyring, mine));
    expect(kit.addresses).toEqual([store.address, 's3://backup/calculaud?endpoint=https://s3.example.org']);
    const repository = await openRepository(store, await openWithKit(store, kit));
    expect(await repository.listRecords('drills')).toEqual([{ name: '1', record: { verdict: 'green' } }]);
  });

  test('is a page for people, with its key as the only secret', () => {
    const page = kitOf(keyring, mine);
    expect(page).toContain('calculaud restore --to latest');
    expect(page).toContain('2026-12-01T06:00:00.000Z');
    expect(page).toContain('Calculaud 2.0.0');
    expect(page.match(/AGE-SECRET-KEY-1/g)).toHaveLength(1);
    for (const secret of printKeyRing(keyring).match(/[A-Za-z0-9+/]{40,}={0,2}/g) ?? []) {
      expect(page).not.toContain(secret);
    }
    for (const line of page.split('\n')) expect(line.length).toBeLessThan(110);
  });

  test('is a file of identities for the program age: its other lines are comments', () => {
    const lines = kitOf(keyring, mine).trimEnd().split('\n');
    expect(lines.filter((line) => !line.startsWith('#'))).toEqual([mine.identity]);
  });

  test.each([
    ['with the line ends of another system', (page: string) => page.replaceAll('\n', '\r\n')],
    ['quoted in a message', (page: string) => page.replaceAll(/^/gm, '> ')],
    ['typed off in small letters', (page: string) => page.toLowerCase()],
    ['without its comment signs', (page: string) => page.replaceAll(/^# ?/gm, '')],
    ['printed twice into one file', (page: string) => `${page}\n${page}`],
  ])('is read %s', async (_, changed) => {
    await wrapKeys(store, keyring, { add: [mine.recipient] });
    const kit = readRecoveryKit(changed(kitOf(keyring, mine)));
    expect(printKeyRing(await openWithKit(store, kit))).toBe(printKeyRing(keyring));
  });

  test.each([
    ['an empty page', () => '', 'AGE-SECRET-KEY-1'],
    ['a page without its key', (page: string) => page.replace(/^AGE.*$/m, ''), 'AGE-SECRET-KEY-1'],
    ['a page without its repository', (page: string) => page.replace(/^# repository.*$/m, ''), 'repository:'],
    [
      'a page without its fingerprint',
      (page: string) => page.replace(/^# fingerprint.*$/m, ''),
      'fingerprint:',
    ],
  ])('says what is missing on %s', (_, changed, words) => {
    expect(() => readRecoveryKit(changed(kitOf(keyring, mine)))).toThrow(
      expect.objectContaining({ kind: 'wrong-key', message: expect.stringContaining(words) }),
    );
  });

  test('of two systems in one file is none', async () => {
    const pages = kitOf(keyring, mine) + kitOf(newKeyRing(), await newAgeKeyPair());
    expect(() => readRecoveryKit(pages)).toThrow('several keys');
  });

  test('with a wrong letter says so, and does not tell the rest', async () => {
    await wrapKeys(store, keyring, { add: [mine.recipient] });
    const last = mine.identity.endsWith('Q') ? 'P' : 'Q';
    const kit = readRecoveryKit(kitOf(keyring, { ...mine, identity: mine.identity.slice(0, -1) + last }));
    const refused = await openWithKit(store, kit).catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: 'wrong-key', message: expect.stringContaining('wrong letter') });
    expect(String(refused)).not.toContain(mine.identity.slice(20, 40));
  });

  test('of another system does not open, and says so', async () => {
    await wrapKeys(store, keyring, { add: [mine.recipient] });
    const another = await newAgeKeyPair();
    await expect(openWithKit(store, readRecoveryKit(kitOf(keyring, another)))).rejects.toMatchObject({
      kind: 'wrong-key',
      message: expect.stringContaining('another repository'),
    });
  });

  test('finds out whoever exchanged the whole repository, with keys of his own', async () => {
    const forged = { ...newKeyRing(), repository: keyring.repository };
    await wrapKeys(store, forged, { add: [mine.recipient] });
    await expect(openWithKit(store, readRecoveryKit(kitOf(keyring, mine)))).rejects.toMatchObject({
      kind: 'foreign',
    });
  });

  test('holds no password of a store, and no line that is not its own', () => {
    const content = {
      identity: mine.identity,
      keyring,
      restoreCommand: 'x',
      madeAt: new Date(),
      appVersion: '1',
    };
    expect(() => makeRecoveryKit({ ...content, addresses: ['s3://key:hidden@bucket'] })).toThrow(
      'a key or a password',
    );
    expect(() => makeRecoveryKit({ ...content, addresses: ['/srv\n# repository: x'] })).toThrow('line break');
  });
});

describe('the keys in a repository', () => {
  test('are not there before somebody can open them', async () => {
    await createRepository(store, keyring);
    await expect(unwrapKeys(store, mine.identity)).rejects.toMatchObject({ kind: 'missing' });
    await expect(wrapKeys(store, keyring)).rejects.toMatchObject({ kind: 'impossible' });
    expect(await recipientsIn(store, keyring)).toEqual([]);
  });

  test('open to one more, stay open to those before, and close to who is removed', async () => {
    const another = await newAgeKeyPair();
    await wrapKeys(store, keyring, { add: [mine.recipient] });
    expect(await wrapKeys(store, keyring, { add: [another.recipient] })).toEqual([
      mine.recipient,
      another.recipient,
    ]);
    for (const { identity } of [mine, another]) {
      expect(printKeyRing(await unwrapKeys(store, identity))).toBe(printKeyRing(keyring));
    }
    expect(await wrapKeys(store, keyring, { remove: [mine.recipient] })).toEqual([another.recipient]);
    await expect(unwrapKeys(store, mine.identity)).rejects.toMatchObject({ kind: 'wrong-key' });
    await expect(wrapKeys(store, keyring, { remove: [another.recipient] })).rejects.toMatchObject({
      kind: 'impossible',
      message: expect.stringContaining('Print a new recovery kit first'),
    });
    expect(printKeyRing(await unwrapKeys(store, another.identity))).toBe(printKeyRing(keyring));
    expect(await keysOf(store, 'keys/')).toEqual(['keys/0000000003.age', 'keys/0000000003.recipients']);
  });

  test('follow a new data key for the same recipients, and never go back to the old ones', async () => {
    await wrapKeys(store, keyring, { add: [mine.recipient] });
    const changed = withNewDataKey(keyring);
    await wrapKeys(store, changed);
    expect(printKeyRing(await unwrapKeys(store, mine.identity))).toBe(printKeyRing(changed));
    await expect(wrapKeys(store, keyring)).rejects.toMatchObject({
      kind: 'wrong-key',
      message: expect.stringContaining('newer key'),
    });
  });

  test('open to all whom several added at once', async () => {
    await wrapKeys(store, keyring, { add: [mine.recipient] });
    const others = await Promise.all(Array.from({ length: 5 }, async () => newAgeKeyPair()));
    await Promise.all(others.map(async ({ recipient }) => wrapKeys(store, keyring, { add: [recipient] })));
    expect((await recipientsIn(store, keyring)).toSorted()).toEqual(
      [mine, ...others].map(({ recipient }) => recipient).toSorted(),
    );
    for (const { identity } of [mine, ...others]) {
      expect(printKeyRing(await unwrapKeys(store, identity))).toBe(printKeyRing(keyring));
    }
  });

  test('are open to those before when a writer is killed between any two of its steps', async () => {
    await wrapKeys(store, keyring, { add: [mine.recipient] });
    const another = await newAgeKeyPair();
    for (let steps = 0; steps < 4; steps += 1) {
      let left = steps;
      const step = <T>(work: () => Promise<T>): Promise<T> => {
        left -= 1;
        return left < 0 ? Promise.reject(new Error('killed')) : work();
      };
      const dying: BackupStore = {
        ...store,
        put: async (...given) => step(async () => store.put(...given)),
        delete: async (key) => step(async () => store.delete(key)),
      };
      await wrapKeys(dying, keyring, { add: [another.recipient] }).catch(() => undefined);
      expect(printKeyRing(await unwrapKeys(store, mine.identity))).toBe(printKeyRing(keyring));
    }
    await wrapKeys(store, keyring, { add: [another.recipient] });
    expect(printKeyRing(await unwrapKeys(store, another.identity))).toBe(printKeyRing(keyring));
  });

  test('are not encrypted to somebody whom the holder of the store has added', async () => {
    await wrapKeys(store, keyring, { add: [mine.recipient] });
    const thief = await newAgeKeyPair();
    const key = 'keys/0000000001.recipients';
    const list = String(await store.get(key)).replace(mine.recipient, thief.recipient);
    await store.put(key, Buffer.from(list));
    await expect(wrapKeys(store, keyring)).rejects.toMatchObject({ kind: 'corrupt', object: key });
  });

  test('that are damaged or cut are named', async () => {
    await wrapKeys(store, keyring, { add: [mine.recipient] });
    const key = 'keys/0000000001.age';
    const whole = await store.get(key);
    const size = whole?.length ?? 0;
    for (const at of [3, 100, -20]) {
      await flip(store, key, at);
      await expect(unwrapKeys(store, mine.identity)).rejects.toMatchObject({ object: key });
      await flip(store, key, at);
    }
    for (const length of [0, 50, size - 1]) {
      await store.put(key, whole?.subarray(0, length) ?? Buffer.alloc(0));
      await expect(unwrapKeys(store, mine.identity)).rejects.toMatchObject({ kind: 'corrupt', object: key });
    }
  });

  test('take no recipient that is none', async () => {
    await expect(wrapKeys(store, keyring, { add: ['age1nobody'] })).rejects.toMatchObject({
      kind: 'impossible',
      message: expect.stringContaining('begins with age1'),
    });
    expect(await keysOf(store, 'keys/')).toEqual([]);
  });
});
