import { expect, test } from 'vitest';
import { parseLsn } from '../postgres/lsn.ts';
import { segmentNeeded } from './log-window.ts';
import { defaultPolicy, retentionPolicy } from './policy.ts';
import type { BackupFacts } from './facts.ts';
import { type Selection, selectKept } from './select.ts';
import { DAY_MS, lsnOf, SYSTEM, segmentName } from './testing/backups.ts';

const NOW = new Date('2026-12-01T06:00:00Z');
const daysAgo = (days: number) => new Date(NOW.getTime() - days * DAY_MS);

/** One segment a day since 2,000 days ago; a backup is named after its age. */
function backup(days: number, more: Partial<BackupFacts> = {}): BackupFacts {
  const segment = 2000 - Math.floor(days);
  return {
    id: `${days} days`,
    finishedAt: daysAgo(days),
    systemId: SYSTEM,
    timeline: 1,
    startLsn: lsnOf(segment),
    stopLsn: lsnOf(segment, 0x1000n),
    verified: true,
    held: false,
    ...more,
  };
}

function segment(number: number, timeline = 1) {
  return { systemId: SYSTEM, segment: segmentName(number, timeline), modified: daysAgo(1999.5 - number) };
}

function select(backups: readonly BackupFacts[], more: Partial<Parameters<typeof selectKept>[0]> = {}) {
  return selectKept({ backups, policy: defaultPolicy, now: NOW, segments: [], lineages: [], ...more });
}

const kept = ({ backups }: Selection) => backups.filter(({ keep }) => keep).map(({ backup: { id } }) => id);
const reasonsOf = ({ backups }: Selection, id: string) =>
  backups.find(({ backup }) => backup.id === id)?.reasons.join(' ');
const needs = ({ log }: Selection, number: number, timeline = 1) =>
  segmentNeeded(segment(number, timeline), log);

test('nothing is selected from nothing', () => {
  expect(select([])).toEqual({ backups: [], log: [], freeSystems: new Set() });
});

test('of a daily backup over five years the days, weeks, months and years of the policy stay', () => {
  const selection = select(Array.from({ length: 1800 }, (_, days) => backup(days)));
  const ids = kept(selection);
  expect(ids.slice(0, 15)).toEqual(Array.from({ length: 15 }, (_, days) => `${days} days`));
  // Sundays of the 6 weeks before, ends of 11 months, ends of 5 years and the newest of this one, less what is both.
  const older = selection.backups.filter(({ keep }) => keep).slice(15);
  const dates = older.map(({ backup: { finishedAt } }) => finishedAt.toISOString().slice(0, 10));
  expect(dates.filter((date) => date > '2026-10-01')).toEqual([
    '2026-11-15',
    '2026-11-08',
    '2026-11-01',
    '2026-10-31',
    '2026-10-25',
    '2026-10-18',
  ]);
  expect(dates.filter((date) => date < '2026-10-01')).toEqual([
    '2026-09-30',
    '2026-08-31',
    '2026-07-31',
    '2026-06-30',
    '2026-05-31',
    '2026-04-30',
    '2026-03-31',
    '2026-02-28',
    '2026-01-31',
    '2025-12-31',
    '2024-12-31',
    '2023-12-31',
    '2022-12-31',
    '2021-12-31',
  ]);
  expect(reasonsOf(selection, '17 days')).toContain('no day, week, month or year');
});

test('all log from the backup before the window on stays, and of older backups only their own', () => {
  const selection = select([0, 5, 13, 16, 30, 31].map((days) => backup(days)));
  const [base, older] = [1984, 1970];
  expect(reasonsOf(selection, '16 days')).toContain('The beginning of the point-in-time window');
  expect(needs(selection, base)).toBe(true);
  expect(needs(selection, base - 1)).toBe(false);
  expect(needs(selection, 3000)).toBe(true);
  expect(needs(selection, older)).toBe(true);
  expect(needs(selection, older + 1)).toBe(false);
});

test('the window is restored from a verified backup: an unverified one before it is not enough', () => {
  const selection = select([backup(1), backup(5), backup(16, { verified: false }), backup(20)]);
  expect(reasonsOf(selection, '20 days')).toContain('The beginning of the point-in-time window');
  expect(reasonsOf(selection, '16 days')).toContain('The beginning of the point-in-time window');
  expect(needs(selection, 1980)).toBe(true);
});

test('an unverified backup is never the reason to remove a verified one', () => {
  const policy = retentionPolicy.parse({ daily: 2, weekly: 0, monthly: 0, yearly: 0 });
  const unverified = Array.from({ length: 20 }, (_, days) => backup(days, { verified: false }));
  const selection = select([...unverified, backup(40), backup(41), backup(42)], { policy });
  expect(kept(selection)).toContain('40 days');
  expect(kept(selection)).toContain('41 days');
  expect(kept(selection)).not.toContain('42 days');
});

test('two verified backups stay under a policy that keeps nothing', () => {
  const policy = retentionPolicy.parse({ pointInTimeDays: 1, daily: 0, weekly: 0, monthly: 0, yearly: 0 });
  const selection = select(
    [400, 401, 402, 403].map((days) => backup(days)),
    { policy },
  );
  expect(kept(selection)).toEqual(['400 days', '401 days']);
});

test('with one verified backup nothing is removed, of the log neither', () => {
  const selection = select([
    ...Array.from({ length: 50 }, (_, days) => backup(days + 100, { verified: false })),
    backup(30),
  ]);
  expect(selection.backups.every(({ keep }) => keep)).toBe(true);
  expect(selection.freeSystems.size).toBe(0);
  expect(reasonsOf(selection, '120 days')).toContain('only one backup is verified');
});

test('of a database without newer verified backups nothing is removed because of another one', () => {
  const other = { systemId: '99' };
  const selection = select([
    ...[0, 1, 2].map((days) => backup(days)),
    backup(900, { ...other, id: 'old 1' }),
    backup(901, { ...other, id: 'old 2' }),
    backup(899, { ...other, id: 'old unverified', verified: false }),
  ]);
  expect(selection.backups.every(({ keep }) => keep)).toBe(true);
  expect(reasonsOf(selection, 'old unverified')).toContain('No newer backup of its database is verified');
});

test('a backup under legal hold stays, with its log', () => {
  const policy = retentionPolicy.parse({ daily: 0, weekly: 0, monthly: 0, yearly: 0 });
  const selection = select([backup(0), backup(1), backup(20), backup(300, { held: true }), backup(301)], {
    policy,
  });
  expect(kept(selection)).toEqual(['0 days', '1 days', '20 days', '300 days']);
  expect(reasonsOf(selection, '300 days')).toBe('It is under legal hold.');
  expect(needs(selection, 1700)).toBe(true);
  expect(needs(selection, 1699)).toBe(false);
});

test('a backup dated in the future stays and removes no other one', () => {
  const future = Array.from({ length: 40 }, (_, days) => backup(-100 - days, { id: `future ${days}` }));
  const usual = [0, 3, 16, 20, 35, 36].map((days) => backup(days));
  const selection = select([...future, ...usual]);
  const without = select(usual);
  expect(kept(selection).filter((id) => !id.startsWith('future'))).toEqual(kept(without));
  expect(kept(selection)).toHaveLength(kept(without).length + 40);
});

test('with two verified backups of which one is dated in the future nothing is removed', () => {
  const selection = select([backup(-50), backup(30), backup(500, { verified: false })]);
  expect(selection.backups.every(({ keep }) => keep)).toBe(true);
});

test('while log of a timeline is in the window, the backup that it is reached from stays', () => {
  // A restore 13 days ago went back to 40 days ago; the newest backup before the window is on what was left behind.
  const lineages = [
    { systemId: SYSTEM, timeline: 2, steps: [{ timeline: 1, until: parseLsn(lsnOf(1960)) }] },
  ];
  const segments = [{ ...segment(1960, 2), modified: daysAgo(13) }];
  const backups = [
    backup(1, { timeline: 2, startLsn: lsnOf(1961), stopLsn: lsnOf(1962) }),
    ...[15, 37, 43, 44].map((days) => backup(days)),
  ];
  const selection = select(backups, { lineages, segments });
  expect(reasonsOf(selection, '43 days')).toContain('The beginning of the point-in-time window');
  expect(needs(selection, 1958)).toBe(true);
  expect(needs(selection, 1960, 2)).toBe(true);
  // Once that log is older than the window, the usual rule holds again.
  const later = select(backups, { lineages, segments: [{ ...segment(1960, 2), modified: daysAgo(14.5) }] });
  expect(needs(later, 1958)).toBe(false);
});

test('without the history of a timeline in the window all backups stay', () => {
  const segments = [{ ...segment(1960, 2), modified: daysAgo(13) }];
  const selection = select(
    [0, 15, 37, 38, 43, 44].map((days) => backup(days)),
    { segments },
  );
  expect(selection.backups.every(({ keep }) => keep)).toBe(true);
});

test('a backup that a moved clock dated too early does not become the base of the window', () => {
  // Made in segment 1995, and dated before the window.
  const wrong = backup(15, { id: 'dated too early', startLsn: lsnOf(1995), stopLsn: lsnOf(1995, 0x2000n) });
  const segments = Array.from({ length: 20 }, (_, index) => segment(1980 + index));
  const selection = select([backup(1), wrong, backup(18), backup(19)], { segments });
  expect(reasonsOf(selection, '18 days')).toContain('The beginning of the point-in-time window');
  expect(needs(selection, 1986)).toBe(true);
});

test('what is no name of a segment is never given away', () => {
  expect(segmentNeeded({ systemId: SYSTEM, segment: '000000010000000000000XYZ' }, [])).toBe(true);
  expect(segmentNeeded({ systemId: SYSTEM, segment: '0000000100000000000001FF' }, [])).toBe(true);
});
