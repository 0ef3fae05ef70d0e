import { z } from 'zod';
import { type Plan, planSchema, type StepMark, stepMarksSchema } from './journal.ts';
import { hashOf, type Json, jsonSchema } from './json.ts';

/** What the first entry follows. */
export const NO_HASH = '0'.repeat(64);

/** `begun` is for what is written down before it is done, and whose end nobody records. */
const OUTCOMES = ['done', 'rolled back', 'failed', 'abandoned', 'begun'] as const;

/** Who did what, by which plan, and what came of it. */
export interface LedgerEntry {
  /** 1, 2, 3 … without gaps. */
  readonly n: number;
  readonly stack: string;
  /** The fencing token of the lease that it was written under. */
  readonly token: number;
  readonly who: string;
  readonly command: string;
  readonly startedAt: string;
  readonly at: string;
  readonly outcome: (typeof OUTCOMES)[number];
  /** Null for a command of a single act, such as a change of replicas. */
  readonly plan: Plan | null;
  readonly steps: readonly StepMark[];
  /** What was measured. */
  readonly figures: Json;
  readonly note: string | null;
  /** What ran afterwards; older entries may have another shape than the state has today. */
  readonly release: Json;
  /** The hash of the entry before, which makes a chain of them. */
  readonly previous: string;
  readonly hash: string;
}

/** What a newer version may have added stays, or the hash would no longer fit. */
export const ledgerEntrySchema: z.ZodType<LedgerEntry> = z.looseObject({
  n: z.number().int().positive(),
  stack: z.string(),
  token: z.number().int(),
  who: z.string(),
  command: z.string(),
  startedAt: z.string(),
  at: z.string(),
  outcome: z.enum(OUTCOMES),
  plan: planSchema.nullable(),
  steps: stepMarksSchema,
  figures: jsonSchema,
  note: z.string().nullable(),
  release: jsonSchema,
  previous: z.string(),
  hash: z.string(),
});
export type LedgerContent = Omit<LedgerEntry, 'n' | 'previous' | 'hash'>;

/** Where the chain ends. */
export interface LedgerHead {
  readonly length: number;
  readonly head: string;
}

/** An entry as it was found, with where. */
export interface FoundEntry {
  readonly entry: LedgerEntry;
  readonly source: string;
}

/** What is wrong with a ledger. */
export interface LedgerProblem {
  readonly kind: 'missing' | 'altered' | 'foreign' | 'unreadable';
  readonly n: number | null;
  readonly source: string | null;
  readonly text: string;
}

/** The entry that comes next. */
export function chained(content: LedgerContent, { length, head }: LedgerHead): LedgerEntry {
  const entry = { ...content, n: length + 1, previous: head };
  return { ...entry, hash: hashOf(entry) };
}

/**
 * Goes from the head to the first entry. What is on the chain is proven by the head; behind a gap the entries that hold
 * together in themselves are still shown, and the gap is a problem.
 */
export function verifyLedger(
  found: readonly FoundEntry[],
  { length, head }: LedgerHead,
): { readonly entries: readonly LedgerEntry[]; readonly problems: readonly LedgerProblem[] } {
  const problems: LedgerProblem[] = [];
  const sound: FoundEntry[] = [];
  for (const candidate of found) {
    const { entry, source } = candidate;
    const { hash, ...content } = entry;
    if (hashOf(content) === hash) sound.push(candidate);
    else
      problems.push({
        kind: 'altered',
        n: entry.n,
        source,
        text: `Entry ${entry.n} in ${source} was changed`,
      });
  }

  const entries: LedgerEntry[] = [];
  const onChain = new Set<string>();
  let expected: string | undefined = head;
  for (let n = length; n > 0; n -= 1) {
    const here = sound.filter(({ entry }) => entry.n === n).map(({ entry }) => entry);
    // Behind a gap nobody says which one is right; a single one most likely is.
    const entry: LedgerEntry | undefined =
      expected === undefined ? here[0] : here.find(({ hash }) => hash === expected);
    if (entry) {
      entries.unshift(entry);
      onChain.add(entry.hash);
    } else if (expected !== undefined || here.length === 0) {
      problems.push({ kind: 'missing', n, source: null, text: `Entry ${n} is missing` });
    }
    expected = entry?.previous;
  }
  if (length > 0 && expected !== undefined && expected !== NO_HASH) {
    problems.push({
      kind: 'missing',
      n: 0,
      source: null,
      text: 'The first entry follows one that is not there',
    });
  }
  for (const { entry, source } of sound) {
    if (!onChain.has(entry.hash)) {
      const text = `Entry ${entry.n} in ${source} does not belong to the ledger`;
      problems.push({ kind: 'foreign', n: entry.n, source, text });
    }
  }
  return { entries, problems };
}

/** The end of what was found, for a ledger whose head was lost: the longest chain wins. */
export function recoveredHead(found: readonly FoundEntry[]): LedgerHead {
  const last = found
    .map(({ entry }) => entry)
    .filter(({ hash, ...content }) => hashOf(content) === hash)
    .toSorted((one, other) => other.n - one.n)[0];
  return last ? { length: last.n, head: last.hash } : { length: 0, head: NO_HASH };
}
