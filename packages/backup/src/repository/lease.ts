import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { identityOf, isGone } from '@calculaud/embedded/processes';
import { z } from 'zod';
import { BackupProblem } from './problem.ts';
import type { BackupStore } from './store.ts';

/**
 * One at a time, over any store that can put an object if it is absent: each holder has the next number below the name of the
 * lease, and the highest number holds it. Who takes over an expired one puts the number after it, which only one can; the
 * former holder finds that at its next renewal, and stops. It stops as well once it could not renew for a whole term.
 */

export interface LeaseTerms {
  /** Who has not renewed for so long stops. */
  readonly termMs: number;
  readonly renewMs: number;
  /** By so much two clocks may differ, and so much longer the others wait. */
  readonly skewMs: number;
}

const TERMS: LeaseTerms = { termMs: 60_000, renewMs: 15_000, skewMs: 60_000 };
/** One that ends later than this was written before a clock was set back: nobody waits for days. */
const FARTHEST_MS = 15 * 60_000;

const lease = z.object({
  holder: z.string(),
  who: z.string(),
  until: z.coerce.date(),
  /** Which process it is: one that was killed here is waited for by nobody here. */
  process: z.string().optional(),
});
type Lease = z.output<typeof lease>;
type Holder = Omit<Lease, 'until'>;

const numberOf = (key: string): number => Number(/(\d+)$/.exec(key)?.[1] ?? 0);
const keyOf = (name: string, number: number): string => `leases/${name}/${String(number).padStart(10, '0')}`;

/** Who holds it now; undefined when nobody does. */
export async function leaseHolder(store: BackupStore, name: string): Promise<string | undefined> {
  const { current } = await look(store, name);
  return current && isLive(current, TERMS) ? current.who : undefined;
}

/** Runs `work` while nobody else holds the lease; its signal is aborted when the lease is lost. */
export async function withLease<T>(
  store: BackupStore,
  name: string,
  who: string,
  work: (signal: AbortSignal) => Promise<T>,
  terms: LeaseTerms = TERMS,
): Promise<T> {
  const mine: Holder = { holder: randomUUID(), who, process: identityOf(process.pid) };
  const asked = performance.now();
  const key = await take(store, name, mine, terms);
  const lost = new AbortController();
  const done = new AbortController();
  const renewing = renew({ store, name, key, mine, terms, goodFrom: asked, lost, done: done.signal });
  try {
    const result = await work(lost.signal);
    lost.signal.throwIfAborted();
    return result;
  } finally {
    done.abort();
    await renewing;
    if (!lost.signal.aborted) await giveBack(store, key, mine);
  }
}

/** What was done under it is done, whether or not this succeeds: otherwise it ends by itself. */
async function giveBack(store: BackupStore, key: string, mine: Holder): Promise<void> {
  try {
    await store.delete(key);
  } catch {
    // Some writers may not delete; it can be over at least.
    await store.put(key, written(mine, new Date(0))).catch(() => undefined);
  }
}

async function take(store: BackupStore, name: string, mine: Holder, terms: LeaseTerms): Promise<string> {
  for (;;) {
    const { number, current } = await look(store, name);
    if (current && isLive(current, terms)) {
      throw new BackupProblem(
        'busy',
        `${current.who} is at work in ${store.address} (${name}, at least until ${current.until.toISOString()}). Wait for it, or end it.`,
        { object: keyOf(name, number) },
      );
    }
    const key = keyOf(name, number + 1);
    if (!(await store.put(key, written(mine, endOf(terms)), { ifAbsent: true }))) continue;
    // Between the look and the put others may have come and gone, and one of them may be there with a higher number.
    if ((await look(store, name)).number !== number + 1) {
      await giveBack(store, key, mine);
      continue;
    }
    // Of those before, so that the list stays short. The number itself is never given twice while one is there.
    if (number > 0) await store.delete(keyOf(name, number)).catch(() => undefined);
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
  const bytes = await store.get(last);
  return { number: numberOf(last), current: bytes && parseLease(bytes) };
}

/** Undefined when it is damaged: then nobody can renew it, nor say whose it is. */
function parseLease(bytes: Buffer): Lease | undefined {
  try {
    return lease.safeParse(JSON.parse(bytes.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

function isLive({ until, process: holder }: Lease, { skewMs }: LeaseTerms): boolean {
  const left = until.getTime() - Date.now();
  return left > -skewMs && left < FARTHEST_MS && !(holder !== undefined && isGone(holder));
}

function endOf({ termMs }: LeaseTerms): Date {
  return new Date(Date.now() + termMs);
}

function written(mine: Holder, until: Date): Buffer {
  return Buffer.from(JSON.stringify({ ...mine, until }));
}

/** Until it is done, or until it may not be ours any more: then what runs under it is told to stop. */
async function renew(held: {
  readonly store: BackupStore;
  readonly name: string;
  readonly key: string;
  readonly mine: Holder;
  readonly terms: LeaseTerms;
  /** When it was asked for, by a clock that nobody sets. */
  readonly goodFrom: number;
  readonly lost: AbortController;
  readonly done: AbortSignal;
}): Promise<void> {
  const { store, name, key, mine, terms, goodFrom, lost, done } = held;
  const lose = (cause?: unknown) => {
    lost.abort(
      new BackupProblem(
        'busy',
        `The lease ${name} of ${store.address} was lost: nothing more is done under it. Try again.`,
        { object: key, cause },
      ),
    );
  };
  const startTerm = (from: number) => setTimeout(lose, from + terms.termMs - performance.now());
  // A store that does not answer for a moment costs nothing; one that hangs must not keep us at work beyond the term.
  let term = startTerm(goodFrom);
  const over = AbortSignal.any([lost.signal, done]);
  try {
    for (;;) {
      await pause(terms.renewMs, undefined, { signal: over }).catch(() => undefined);
      if (over.aborted) return;
      const asked = performance.now();
      try {
        const { number } = await look(store, name);
        if (keyOf(name, number) !== key) {
          lose();
          return;
        }
        await store.put(key, written(mine, endOf(terms)));
      } catch {
        continue;
      }
      clearTimeout(term);
      if (over.aborted) return;
      term = startTerm(asked);
    }
  } finally {
    clearTimeout(term);
  }
}
