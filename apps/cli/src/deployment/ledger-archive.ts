import { gunzipSync, gzipSync } from 'node:zlib';
import { z } from 'zod';
import { hashOf } from './json.ts';
import { type LedgerEntry, ledgerEntrySchema } from './ledger.ts';

/** What will be stored, and under which suffix of a name. */
interface Stored {
  readonly suffix: string;
  readonly data: Buffer;
}

/** Well below what the store takes for one object. */
const LARGEST_ARCHIVE = 400_000;
/** Entries up to this size stay readable for whoever looks with `docker config inspect`. */
const LARGEST_PLAIN = 100_000;

export function storedEntry(entry: LedgerEntry): Stored {
  const plain = Buffer.from(JSON.stringify(entry));
  return {
    suffix: `${digits(entry.n)}-${entry.hash.slice(0, 8)}`,
    data: plain.length > LARGEST_PLAIN ? gzipSync(plain) : plain,
  };
}

/** The entries as few objects; one that grows too large is cut in halves, so that the newer half has room again. */
export function packed(entries: readonly LedgerEntry[]): readonly Stored[] {
  const last = entries.at(-1);
  if (!last) return [];
  const data = gzipSync(JSON.stringify(entries));
  if (data.length > LARGEST_ARCHIVE && entries.length > 1) {
    const middle = Math.ceil(entries.length / 2);
    return [...packed(entries.slice(0, middle)), ...packed(entries.slice(middle))];
  }
  const hash = hashOf(entries.map((entry) => entry.hash)).slice(0, 8);
  return [{ suffix: `${digits(last.n)}-${hash}`, data }];
}

/** What an object holds, one entry or many; fails on anything else. */
export function unpacked(data: Buffer): readonly LedgerEntry[] {
  const compressed = data[0] === 0x1f && data[1] === 0x8b;
  const content: unknown = JSON.parse((compressed ? gunzipSync(data) : data).toString('utf8'));
  return z.array(ledgerEntrySchema).parse(Array.isArray(content) ? content : [content]);
}

/** The name of an object has 64 characters in all, 40 of them the stack's: 15 are left here. */
function digits(n: number): string {
  return String(n).padStart(6, '0');
}
