import fc from 'fast-check';
import { expect, test } from 'vitest';
import { defaultIntervals, dueAt, limitOf } from './due.ts';
import { type LastRun, NEVER_RAN, type Task } from './last-runs.ts';

const NOW = new Date('2026-12-01T06:00:00Z');
const HOUR_MS = 3_600_000;
const hoursAgo = (hours: number) => new Date(NOW.getTime() - hours * HOUR_MS).toISOString();
const ran = (hours: number): LastRun => ({
  ...NEVER_RAN,
  succeeded: { startedAt: hoursAgo(hours), endedAt: hoursAgo(hours) },
  endedAt: hoursAgo(hours),
});

function due(
  task: Task,
  runs: Partial<Record<Task, LastRun>>,
  seed = 'here',
  { now = NOW, since = NOW } = {},
) {
  const known = new Map<Task, LastRun>();
  for (const each of ['base', 'export', 'verification', 'drill', 'prune'] as const) {
    const run = runs[each];
    if (run) known.set(each, run);
  }
  return dueAt(task, known, { now, since, intervals: defaultIntervals, seed });
}

test('the first backup is due at once, the rest a while after the first start, and what needs a backup after one', () => {
  const minutes = (task: Task, runs: Partial<Record<Task, LastRun>>) => {
    const at = due(task, runs);
    return at && (at.getTime() - NOW.getTime()) / 60_000;
  };
  expect(minutes('base', {})).toBe(0);
  expect(minutes('export', {})).toBe(10);
  for (const task of ['verification', 'drill', 'prune'] as const) expect(minutes(task, {})).toBeUndefined();
  expect(minutes('verification', { base: ran(1) })).toBe(5);
  expect(minutes('drill', { base: ran(1) })).toBe(60);
  expect(minutes('prune', { base: ran(1) })).toBeUndefined();
  expect(minutes('prune', { base: ran(1), verification: ran(1) })).toBe(0);
});

test('a first start in the future says nothing', () => {
  expect(due('drill', { base: ran(1) }, 'here', { since: new Date(NOW.getTime() + HOUR_MS) })).toEqual(NOW);
});

test('a base backup is due 23 to 24 hours after the start of the last, the same each time, elsewhere at another time', () => {
  const times = Array.from({ length: 200 }, (_, host) => due('base', { base: ran(0) }, `host ${host}`));
  const hours = times.map((time) => ((time?.getTime() ?? 0) - NOW.getTime()) / HOUR_MS);
  expect(Math.min(...hours)).toBeGreaterThan(23);
  expect(Math.max(...hours)).toBeLessThanOrEqual(24);
  expect(Math.max(...hours) - Math.min(...hours)).toBeGreaterThan(0.8);
  expect(due('base', { base: ran(0) }, 'host 7', { now: new Date(NOW.getTime() + HOUR_MS) })).toEqual(
    times[7],
  );
});

test('after a failure it is tried again, ever later, and at least once in a twenty-fourth of its interval', () => {
  const waits = [1, 2, 3, 4, 5, 6, 60].map((failures) => {
    const at = due('base', { base: { ...ran(30), endedAt: hoursAgo(0), failures } });
    return ((at?.getTime() ?? 0) - NOW.getTime()) / 60_000;
  });
  expect(waits).toEqual([5, 10, 20, 40, 60, 60, 60]);
});

test('after a month of downtime it is due once', () => {
  const runs = { base: ran(720) };
  expect(due('base', runs)?.getTime()).toBeLessThan(NOW.getTime());
  expect(due('base', { base: ran(0) })?.getTime()).toBeGreaterThan(NOW.getTime());
});

test('a last run in the future says nothing: the clock was moved, and it is due', () => {
  expect(due('base', { base: ran(-500) })).toEqual(NOW);
  expect(due('base', { base: { ...ran(-500), failures: 9 } })).toEqual(NOW);
});

test('whatever the clock did, it is never due later than one interval from now', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -100_000, max: 100_000 }),
      fc.integer({ min: -100_000, max: 100_000 }),
      fc.nat(2000),
      (started, ended, failures) => {
        const run: LastRun = { ...ran(started), endedAt: hoursAgo(ended), failures };
        const at = due('base', { base: run })?.getTime() ?? Number.NaN;
        expect(at - NOW.getTime()).toBeLessThanOrEqual(24 * HOUR_MS);
      },
    ),
  );
});

test('a task may take four times as long as the last time, and always ten minutes', () => {
  expect(limitOf({ durationMs: null })).toBe(600_000);
  expect(limitOf({ durationMs: 1000 })).toBe(600_000);
  expect(limitOf({ durationMs: 900_000 })).toBe(3_600_000);
});
