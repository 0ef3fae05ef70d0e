import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { identityOf } from '@calculaud/embedded/processes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaseHolder, type LeaseTerms, withLease } from './lease.ts';
import { BackupProblem } from './problem.ts';
import type { BackupStore } from './store.ts';
import { folderStores, keysOf, kindsOfStores, type TestStores } from './testing/stores.ts';

const SHORT: LeaseTerms = { termMs: 400, renewMs: 50, skewMs: 100 };
const aborted = async (signal: AbortSignal): Promise<void> =>
  signal.aborted
    ? undefined
    : new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          resolve();
        });
      });
const text = (who: string, until: Date) => Buffer.from(JSON.stringify({ holder: who, who, until }));

describe.each(kindsOfStores())('a lease in %s', (_, start) => {
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

  test.runIf(process.platform === 'linux')(
    'of a process that was killed on this machine is free at once, and not that of another machine',
    async () => {
      const child = spawn('sleep', ['60']);
      await once(child, 'spawn');
      const killed = identityOf(child.pid ?? 0) ?? '';
      const held = (process: string) =>
        Buffer.from(JSON.stringify({ holder: 'a', who: 'a', until: new Date(Date.now() + 60_000), process }));
      await store.put('leases/killed/0000000001', held(killed));
      await expect(withLease(store, 'killed', 'b', async () => 1)).rejects.toMatchObject({ kind: 'busy' });
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(await withLease(store, 'killed', 'b', async () => 1)).toBe(1);
      await store.put('leases/far/0000000001', held(killed.replace(/\[\d+\]/, '[1]')));
      await expect(withLease(store, 'far', 'b', async () => 1)).rejects.toMatchObject({ kind: 'busy' });
    },
  );

  test('is held by one of many who ask at once; the others hear who has it', async () => {
    let inside = 0;
    let most = 0;
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const all = Array.from({ length: 8 }, async (_each, index) =>
      withLease(store, 'race', `writer ${index}`, async () => {
        inside += 1;
        most = Math.max(most, inside);
        await released;
        inside -= 1;
        return index;
      }),
    );
    const settled = all.map(async (each, index) =>
      each.then(
        (value) => ({ index, value, error: undefined }),
        (error: unknown) => ({ index, value: undefined, error }),
      ),
    );
    // All but the one who works come back.
    const losers = await atLeast(settled, 7);
    for (const { error } of losers) {
      expect(error).toMatchObject({
        kind: 'busy',
        message: expect.stringMatching(/^writer \d is at work in /),
      });
    }
    release();
    const outcomes = await Promise.all(settled);
    expect(outcomes.filter(({ error }) => error === undefined)).toHaveLength(1);
    expect(most).toBe(1);
    expect(await keysOf(store, 'leases/race/')).toEqual([]);
  });

  test('is given back after work that failed, whose error is the one that is told', async () => {
    const failed = withLease(store, 'failing', 'me', async () => {
      throw new Error('the work failed');
    });
    await expect(failed).rejects.toThrow('the work failed');
    expect(await withLease(store, 'failing', 'me again', async () => 'done')).toBe('done');
  });

  test('of a dead holder is taken over when its term is over, and not before', async () => {
    await store.put('leases/dead/0000000001', text('the dead', new Date(Date.now() + 5000)));
    expect(await leaseHolder(store, 'dead')).toBe('the dead');
    await expect(withLease(store, 'dead', 'me', async () => 'done')).rejects.toMatchObject({ kind: 'busy' });
    await store.put('leases/dead/0000000001', text('the dead', new Date(Date.now() - 61_000)));
    expect(await leaseHolder(store, 'dead')).toBeUndefined();
    expect(await withLease(store, 'dead', 'me', async () => leaseHolder(store, 'dead'))).toBe('me');
    expect(await keysOf(store, 'leases/dead/')).toEqual([]);
  });

  test('stays with who renews it, long after its first term', async () => {
    await withLease(
      store,
      'long',
      'me',
      async (signal) => {
        await pause(3 * SHORT.termMs);
        expect(signal.aborted).toBe(false);
        await expect(withLease(store, 'long', 'another', async () => 'done', SHORT)).rejects.toMatchObject({
          kind: 'busy',
        });
      },
      SHORT,
    );
  });
});

describe('a lease', () => {
  let stores: TestStores;
  let store: BackupStore;
  beforeAll(async () => {
    stores = await folderStores();
    store = await stores.open();
  });
  afterAll(async () => stores.remove());

  test('that somebody took over ends the work, and is left to him', async () => {
    const taken = withLease(
      store,
      'taken',
      'me',
      async (signal) => {
        await store.put('leases/taken/0000000002', text('another', new Date(Date.now() + 60_000)));
        await aborted(signal);
        return 'not to be seen';
      },
      SHORT,
    );
    await expect(taken).rejects.toMatchObject({ kind: 'busy', message: expect.stringContaining('was lost') });
    expect(await leaseHolder(store, 'taken')).toBe('another');
  });

  test('ends the work at the end of its term when the store hangs', async () => {
    let hangs = false;
    let goOn = (): void => undefined;
    const hanging = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const slow: BackupStore = {
      ...store,
      put: async (...given) => {
        if (hangs) await hanging;
        return store.put(...given);
      },
    };
    const lost = withLease(
      slow,
      'hanging',
      'me',
      async (signal) => {
        hangs = true;
        await aborted(signal);
        goOn();
        signal.throwIfAborted();
      },
      SHORT,
    );
    await expect(lost).rejects.toMatchObject({ kind: 'busy', message: expect.stringContaining('was lost') });
  });

  test('outlives a store that does not answer for a moment', async () => {
    let failures = 0;
    const unsteady: BackupStore = {
      ...store,
      put: async (key, content, options) => {
        if (options?.ifAbsent !== true && failures < 2) {
          failures += 1;
          throw new BackupProblem('unavailable', 'not now');
        }
        return store.put(key, content, options);
      },
    };
    await withLease(
      unsteady,
      'unsteady',
      'me',
      async (signal) => {
        await pause(2 * SHORT.termMs);
        expect(signal.aborted).toBe(false);
      },
      SHORT,
    );
    expect(failures).toBe(2);
  });

  test('that could not be given back costs nothing of what was done', async () => {
    const appendOnly: BackupStore = {
      ...store,
      delete: async () => {
        throw new BackupProblem('unavailable', 'deleting is not allowed');
      },
    };
    for (const turn of [1, 2, 3]) {
      expect(await withLease(appendOnly, 'append-only', 'me', async () => turn)).toBe(turn);
    }
  });

  test.each(['no JSON', '{"who":"somebody"}', ''])(
    'that is damaged (%j) is in nobody’s way',
    async (damaged) => {
      await store.put('leases/damaged/0000000007', Buffer.from(damaged));
      expect(await leaseHolder(store, 'damaged')).toBeUndefined();
      expect(await withLease(store, 'damaged', 'me', async () => 'done')).toBe('done');
      expect(await keysOf(store, 'leases/damaged/')).toEqual([]);
    },
  );

  test('of a clock that ran a day ahead does not last for that day', async () => {
    await store.put('leases/ahead/0000000001', text('the dead', new Date(Date.now() + 24 * 60 * 60 * 1000)));
    expect(await withLease(store, 'ahead', 'me', async () => 'done')).toBe('done');
  });

  test('is not taken under a lower number than the one that is held', async () => {
    // Somebody came between our look, which saw nobody, and our put.
    let between = true;
    const late: BackupStore = {
      ...store,
      put: async (key, content, options) => {
        if (between) {
          between = false;
          await store.put('leases/late/0000000002', text('another', new Date(Date.now() + 30_000)));
        }
        return store.put(key, content, options);
      },
    };
    await expect(withLease(late, 'late', 'me', async () => 'done')).rejects.toMatchObject({
      kind: 'busy',
      message: expect.stringContaining('another is at work'),
    });
    expect(await keysOf(store, 'leases/late/')).toEqual(['leases/late/0000000002']);
  });
});

/** The first so many that are settled. */
async function atLeast<T>(all: readonly Promise<T>[], count: number): Promise<T[]> {
  const found: T[] = [];
  return new Promise((resolve) => {
    for (const each of all) {
      void each.then((value) => {
        found.push(value);
        if (found.length === count) resolve([...found]);
        return value;
      });
    }
  });
}
