import { expect, test } from 'vitest';
import { formatLsn, parseLsn, segmentAt } from '../postgres/lsn.ts';
import type { BackupManifest } from '../repository/manifest.ts';
import { type Branch, contiguous, type Log, segmentOn } from './branch.ts';
import { assertNoGap, findRoutes, parseTarget, type Target } from './target.ts';

/**
 * A system that was restored twice: at 10:00 to a moment in segment 5 of timeline 1 (which had come to segment 8), and at
 * 12:00 to one in segment 9 of timeline 2 (which had come to segment 9).
 */
const SYSTEM = '7300000000000000001';
const SEGMENT = 16 * 1024 * 1024;
const lsn = (segment: number, bytes = 0) => formatLsn(BigInt(segment * SEGMENT + bytes));
const at = (time: string) => new Date(`2026-12-01T${time}:00Z`);
const name = (timeline: number, segment: number) => segmentAt(timeline, BigInt(segment * SEGMENT));

const first: Branch = { systemId: SYSTEM, timeline: 1, steps: [], since: undefined };
const second: Branch = {
  ...first,
  timeline: 2,
  steps: [{ timeline: 1, until: parseLsn(lsn(5, 5000)) }],
  since: at('10:00'),
};
const third: Branch = {
  ...first,
  timeline: 3,
  steps: [...second.steps, { timeline: 2, until: parseLsn(lsn(9, 7000)) }],
  since: at('12:00'),
};
const range = (timeline: number, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => name(timeline, from + index));
const available = new Set([...range(1, 2, 8), ...range(2, 5, 9), ...range(3, 9, 11)]);
const logs = new Map<string, Log>([[SYSTEM, { branches: [third, second, first], available }]]);

function backup(id: string, time: string, timeline: number, segment: number): BackupManifest {
  return {
    format: 1,
    id,
    kind: 'base',
    reason: 'scheduled',
    startedAt: at(time).toISOString(),
    finishedAt: at(time).toISOString(),
    appVersion: '1',
    postgresVersion: '18',
    systemId: SYSTEM,
    timeline,
    startLsn: lsn(segment, 100),
    stopLsn: lsn(segment, 200),
    migration: null,
    tables: {},
    directories: [],
    files: [],
    postgresManifest: { size: 0, sha256: '', chunks: [] },
    attached: { watermark: null, objects: 0, bytes: 0 },
    bytes: { total: 0, new: 0, stored: 0 },
  };
}

const early = backup('20261201T080000Z-00000001', '08:00', 1, 2);
const left = backup('20261201T093000Z-00000002', '09:30', 1, 7);
const between = backup('20261201T110000Z-00000003', '11:00', 2, 6);
const manifests = [early, left, between];

const route = (target: Target) => {
  const [{ base, branch }] = findRoutes(manifests, logs, target);
  return [base.id.slice(-1), branch.timeline];
};

test('the latest moment is on the newest timeline, from the newest backup that leads to it', () => {
  expect(route({ kind: 'latest' })).toEqual(['3', 3]);
  // A backup of what a restore left behind does not lead there.
  expect(findRoutes([early, left], logs, { kind: 'latest' })[0]).toEqual({ base: early, branch: third });
});

test('a time is one of the life that the system led then', () => {
  expect(route({ kind: 'time', time: at('09:45') })).toEqual(['2', 1]);
  expect(route({ kind: 'time', time: at('09:15') })).toEqual(['1', 1]);
  expect(route({ kind: 'time', time: at('10:30') })).toEqual(['1', 2]);
  expect(route({ kind: 'time', time: at('11:30') })).toEqual(['3', 2]);
  expect(route({ kind: 'time', time: at('12:30') })).toEqual(['3', 3]);
  expect(() => route({ kind: 'time', time: at('07:00') })).toThrow('No backup reaches back to');
});

test('a position is one of the newest timeline that has it, and a backup goes along its own', () => {
  expect(route({ kind: 'lsn', lsn: lsn(10) })).toEqual(['3', 3]);
  expect(route({ kind: 'lsn', lsn: lsn(4) })).toEqual(['1', 3]);
  expect(route({ kind: 'backup', id: left.id })).toEqual(['2', 1]);
});

test('a named point is looked for everywhere, in what was left behind last', () => {
  const routes = findRoutes(manifests, logs, { kind: 'point', name: 'before' });
  expect(routes.map(({ base, branch }) => [base.id.slice(-1), branch.timeline]).slice(0, 6)).toEqual([
    ['3', 3],
    ['1', 3],
    ['3', 2],
    ['1', 2],
    ['2', 1],
    ['1', 1],
  ]);
});

test('the log of a branch goes over from one timeline to the next where the restore left it', () => {
  expect(segmentOn(third, parseLsn(lsn(4)))).toBe(name(1, 4));
  // From the start of its segment on: it has a copy of what was before.
  expect(segmentOn(third, parseLsn(lsn(5)))).toBe(name(2, 5));
  expect(segmentOn(third, parseLsn(lsn(9, 8000)))).toBe(name(3, 9));
  expect(contiguous(early, third, available)).toEqual({
    segments: [...range(1, 2, 4), ...range(2, 5, 8), ...range(3, 9, 11)],
    missing: undefined,
  });
  expect(contiguous(early, first, available).segments).toEqual(range(1, 2, 8));
});

test('a hole is seen on each timeline of the branch, and what is beside it is none', () => {
  const without = (segment: string) => new Set([...available].filter((each) => each !== segment));
  expect(contiguous(early, third, without(name(2, 7))).missing).toBe(name(2, 7));
  expect(contiguous(early, third, without(name(1, 3))).missing).toBe(name(1, 3));
  expect(contiguous(early, third, without(name(1, 7))).missing).toBeUndefined();
  const gap = (timeline: number, segment: number) => ({
    systemId: SYSTEM,
    timeline,
    fromLsn: lsn(segment),
    toLsn: lsn(segment + 1),
    noticedAt: '',
    reason: 'the slot was lost',
  });
  const along = { base: early, branch: third };
  const end = parseLsn(lsn(11));
  expect(() => assertNoGap([gap(2, 7)], along, end)).toThrow('was never received');
  expect(() => assertNoGap([gap(1, 7), gap(2, 4)], along, end)).not.toThrow();
});

test.each(['latest', '2026-12-01T09:30:00Z', '16/B374D848', 'point:before', '20261201T080000Z-00000001'])(
  '%s is a target',
  (text) => {
    expect(parseTarget(text).kind).toBeTypeOf('string');
  },
);

test.each(['', 'yesterday', '2026-12-01T09:30:00', '2026-13-41T09:30Z', 'point:'])('%j is none', (text) => {
  expect(() => parseTarget(text)).toThrow(/zone|no moment/);
});
