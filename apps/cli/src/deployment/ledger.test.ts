import { describe, expect, test } from 'vitest';
import {
  chained,
  type FoundEntry,
  type LedgerContent,
  type LedgerEntry,
  type LedgerHead,
  NO_HASH,
  recoveredHead,
  verifyLedger,
} from './ledger.ts';
import { packed, storedEntry, unpacked } from './ledger-archive.ts';

const EMPTY: LedgerHead = { length: 0, head: NO_HASH };

function content(note: string): LedgerContent {
  return {
    stack: 'calculaud-production',
    token: 3,
    who: 'dana@laptop',
    command: 'deploy',
    startedAt: '2026-01-01T10:00:00Z',
    at: '2026-01-01T10:05:00Z',
    outcome: 'done',
    plan: null,
    steps: [],
    figures: { sent: 12_000, failed: 0 },
    note,
    release: null,
  };
}

function ledger(length: number): LedgerEntry[] {
  const entries: LedgerEntry[] = [];
  for (let n = 1; n <= length; n += 1) entries.push(chained(content(`number ${n}`), headOf(entries)));
  return entries;
}
function headOf(entries: readonly LedgerEntry[]): LedgerHead {
  const last = entries.at(-1);
  return last ? { length: last.n, head: last.hash } : EMPTY;
}
const found = (entries: readonly LedgerEntry[]): FoundEntry[] =>
  entries.map((entry) => ({ entry, source: `object ${entry.n}` }));
const problemsOf = (entries: readonly LedgerEntry[], head: LedgerHead): string[] =>
  verifyLedger(found(entries), head).problems.map(({ kind, n }) => `${kind} ${n}`);

describe('a ledger', () => {
  const five = ledger(5);
  const head = headOf(five);

  test('that nobody touched has no problems, in whatever order it is found', () => {
    expect(verifyLedger(found(five.toReversed()), head)).toEqual({ entries: five, problems: [] });
    expect(verifyLedger([], EMPTY)).toEqual({ entries: [], problems: [] });
  });

  test('may hold an entry twice: an archive was written and what it replaces is still there', () => {
    expect(problemsOf([...five, ...five.slice(0, 2)], head)).toEqual([]);
  });

  test('shows an entry that was changed', () => {
    const changed = five.map((entry) => (entry.n === 3 ? { ...entry, outcome: 'failed' as const } : entry));
    expect(problemsOf(changed, head)).toEqual(['altered 3', 'missing 3']);
  });

  test('shows an entry that was changed with its hash made to fit', () => {
    const { hash: _, n: __, previous, ...rest } = five[2] ?? chained(content(''), EMPTY);
    const forged = chained({ ...rest, who: 'somebody else' }, { length: 2, head: previous });
    const changed = five.map((entry) => (entry.n === 3 ? forged : entry));
    expect(problemsOf(changed, head)).toEqual(['missing 3', 'foreign 3']);
  });

  test('shows an entry that was taken away, in the middle and at either end', () => {
    const without = (n: number): LedgerEntry[] => five.filter((entry) => entry.n !== n);
    expect(problemsOf(without(1), head)).toEqual(['missing 1']);
    expect(problemsOf(without(3), head)).toEqual(['missing 3']);
    expect(problemsOf(without(5), head)).toEqual(['missing 5']);
  });

  test('still shows the entries behind a gap', () => {
    const { entries } = verifyLedger(found(five.filter(({ n }) => n !== 3)), head);
    expect(entries.map(({ n }) => n)).toEqual([1, 2, 4, 5]);
  });

  test('shows an entry that somebody slipped in', () => {
    expect(problemsOf([...five, chained(content('never happened'), headOf(five.slice(0, 3)))], head)).toEqual(
      ['foreign 4'],
    );
    expect(problemsOf([...five, chained(content('later'), head)], head)).toEqual(['foreign 6']);
  });

  test('shows that all of it was written anew', () => {
    const other = [chained(content('another past'), EMPTY)];
    for (let n = 2; n <= 5; n += 1) other.push(chained(content(`number ${n}`), headOf(other)));
    expect(problemsOf(other, head)).toContain('missing 5');
  });

  test('shows that its beginning was cut off', () => {
    const [, ...rest] = five;
    const renumbered = verifyLedger(found(rest), { length: 5, head: head.head });
    expect(renumbered.problems.map(({ text }) => text)).toEqual(['Entry 1 is missing']);
  });

  test('whose head was lost goes on at the end of what is there', () => {
    expect(recoveredHead(found(five))).toEqual(head);
    expect(recoveredHead([])).toEqual(EMPTY);
  });
});

describe('an archive', () => {
  test('gives back the very entries that were put into it', () => {
    const entries = ledger(300);
    const objects = packed(entries);
    expect(objects).toHaveLength(1);
    const back = objects.flatMap(({ data }) => unpacked(data));
    expect(verifyLedger(found(back), headOf(entries))).toEqual({ entries, problems: [] });
  });

  test('keeps what a newer version has added to an entry, so that its hash still fits', () => {
    const newer = { ...content('x'), addedLater: { a: [1] } };
    const entry = chained(newer, EMPTY);
    const back = unpacked(storedEntry(entry).data);
    expect(verifyLedger(found(back), headOf([entry])).problems).toEqual([]);
  });

  test('is cut in halves where one object would have no room', () => {
    const noise = Array.from({ length: 20_000 }, () => Math.random().toString(36)).join('');
    const entries: LedgerEntry[] = [];
    for (let n = 1; n <= 8; n += 1) {
      entries.push(chained({ ...content(`${n}`), figures: `${n} ${noise.slice(n)}` }, headOf(entries)));
    }
    const objects = packed(entries);
    expect(objects.length).toBeGreaterThan(1);
    for (const { data } of objects) expect(data.length).toBeLessThanOrEqual(400_000);
    expect(objects.flatMap(({ data }) => unpacked(data))).toEqual(entries);
  });

  test('leaves single entries readable for people', () => {
    const [entry] = ledger(1);
    expect(entry && storedEntry(entry).data.toString('utf8')).toContain('"who":"dana@laptop"');
  });

  test.each([['{}'], ['no JSON at all'], ['[{"n":1}]']])('that holds %s is refused', (text) => {
    expect(() => unpacked(Buffer.from(text))).toThrow(/JSON|invalid/i);
  });
});
