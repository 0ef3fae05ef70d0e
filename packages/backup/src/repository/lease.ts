import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { BackupProblem } from './problem.ts';
import type { BackupStore } from './store.ts';

/**
 * One at a time, over any store that can put an object if it is absent: each holder has the next number below the name of the
 * lease, and the highest number holds it. Who takes over an expired one puts the number after it, which only one can; the
 * former holder finds that at its next renewal, and stops.
 */

const TERM_MS = 60_000;
const RENEW_MS = 15_000;
/** By so much two clocks may differ. */
const SKEW_MS = 60_000;

const lease = z.object({ holder: z.string(), who: z.string(), until: z.coerce.date() });
type Lease = z.output<typeof lease>;

const numberOf = (key: string): number => Number(/(\d+)$/.exec(key)?.[1] ?? 0);
const keyOf = (name: string, number: number): string => `leases/${name}/${String(number).padStart(10, '0')}`;

export async function withLease<T>(
  store: BackupStore,
  name: string,
  who: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const holder = randomUUID();
  const key = await take(store, name, { holder, who });
  const lost = new AbortController();
  const done = new AbortController();
  const renewing = renew(store, name, key, { holder, who }, lost, done.signal);
  try {
    const result = await work(lost.signal);
    lost.signal.throwIfAborted();
    return result;
  } finally {
    done.abort();
    await renewing;
    if (!lost.signal.aborted) await store.delete(key);
  }
}

async function take(store: BackupStore, name: string, mine: Pick<Lease, 'holder' | 'who'>): Promise<string> {
  for (;;) {
    const { number, current } = await look(store, name);
    if (current && isLive(current)) {
      throw new BackupProblem(
        'busy',
        `${current.who} is at work in ${store.address} (${name}, at least until ${current.until.toISOString()}). Wait for it, or end it.`,
        { object: keyOf(name, number) },
      );
    }
    const key = keyOf(name, number + 1);
    if (!(await store.put(key, written(mine), { ifAbsent: true }))) continue;
    // Of those before, so that the list stays short. The number itself is never given twice while one is there.
    if (current) await store.delete(keyOf(name, number));
    return key;
  }
}

async function look(
  store: BackupStore,
  name: string,
): Promise<{ readonly number: number; readonly current: Lease | undefined }> {
  let last: string | undefined;
  for await (const { key } of store.list(`leases/${name}/`)) if (last === undefined || key > last) last = key;
  if (last === undefined) return { number: 0, current: undefined };
  const text = await store.get(last);
  const parsed = text && lease.safeParse(JSON.parse(text.toString('utf8')));
  return { number: numberOf(last), current: parsed?.success ? parsed.data : undefined };
}

function isLive({ until }: Lease): boolean {
  return until.getTime() + SKEW_MS > Date.now();
}

function written(mine: Pick<Lease, 'holder' | 'who'>): Buffer {
  return Buffer.from(JSON.stringify({ ...mine, until: new Date(Date.now() + TERM_MS) }));
}

/** Until it is done, or until it may not be ours any more: then what runs under it is told to stop. */
async function renew(
  store: BackupStore,
  name: string,
  key: string,
  mine: Pick<Lease, 'holder' | 'who'>,
  lost: AbortController,
  done: AbortSignal,
): Promise<void> {
  let goodUntil = performance.now() + TERM_MS;
  for (;;) {
    await pause(RENEW_MS, undefined, { signal: done }).catch(() => undefined);
    if (done.aborted) return;
    try {
      const { number } = await look(store, name);
      if (keyOf(name, number) !== key) throw new Taken();
      await store.put(key, written(mine));
      goodUntil = performance.now() + TERM_MS;
    } catch (error) {
      // A store that does not answer for a moment costs nothing before the term is over.
      if (!(error instanceof Taken) && performance.now() < goodUntil) continue;
      lost.abort(
        new BackupProblem(
          'busy',
          `The lease ${name} of ${store.address} was lost: nothing more is done under it. Try again.`,
          {
            object: key,
            cause: error,
          },
        ),
      );
      return;
    }
  }
}

class Taken extends Error {
  constructor() {
    super('somebody else holds it');
    this.name = 'Taken';
  }
}
