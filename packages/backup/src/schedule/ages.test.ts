import { expect, test } from 'vitest';
import { alertsOf, type RepositoryAges } from './ages.ts';
import { prometheusText } from './prometheus.ts';

const NOW = new Date('2026-12-01T06:00:00Z');
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];
const ago = (ms: number) => new Date(NOW.getTime() - ms);

const WELL: RepositoryAges = {
  address: 's3://backups/office',
  watchedSince: ago(100 * DAY),
  base: ago(HOUR),
  export: ago(HOUR),
  verification: ago(HOUR),
  drill: ago(DAY),
  newestDrill: { verdict: 'passed', words: 'All is there.', rtoMs: 15_800, rpoMs: 32 },
  logComplete: ago(1000),
  gapsSinceBase: 0,
  corrupt: [],
};

const names = (change: Partial<RepositoryAges>) =>
  alertsOf([{ ...WELL, ...change }], NOW).map(({ name, severity }) => `${name} ${severity}`);

test('when all is well there is no alert', () => {
  expect(alertsOf([WELL], NOW)).toEqual([]);
  expect(alertsOf([], NOW)).toEqual([]);
});

test.each<[string, Partial<RepositoryAges>, Partial<RepositoryAges>]>([
  ['backup-old critical', { base: ago(26 * HOUR) }, { base: ago(26 * HOUR + 1) }],
  ['log-late critical', { logComplete: ago(5 * MINUTE) }, { logComplete: ago(5 * MINUTE + 1) }],
  ['drill-old warning', { drill: ago(8 * DAY) }, { drill: ago(8 * DAY + 1) }],
  ['export-old warning', { export: ago(26 * HOUR) }, { export: ago(26 * HOUR + 1) }],
  ['log-gap critical', { gapsSinceBase: 0 }, { gapsSinceBase: 1 }],
  ['corrupt critical', { corrupt: [] }, { corrupt: ['chunks/aa/aabb'] }],
  ['space-short warning', { freeBytes: 1024 ** 3 }, { freeBytes: 1024 ** 3 - 1 }],
  ['slot-endangered critical', { slotSafeBytes: 2 * 1024 ** 3 }, { slotSafeBytes: 2 * 1024 ** 3 - 1 }],
  [
    'spool-full critical',
    { spoolBytes: 0.8 * 1024 ** 4 - 1, spoolLimitBytes: 1024 ** 4 },
    { spoolBytes: 0.8 * 1024 ** 4, spoolLimitBytes: 1024 ** 4 },
  ],
])('%s comes with its limit and not before', (alert, before, after) => {
  expect(names(before)).toEqual([]);
  expect(names(after)).toEqual([alert]);
});

test('what never happened is as old as the watch', () => {
  const never = { base: undefined, export: undefined, drill: undefined, newestDrill: undefined };
  expect(names({ ...never, logComplete: undefined, watchedSince: ago(MINUTE) })).toEqual([]);
  expect(names({ ...never, watchedSince: ago(9 * DAY) })).toEqual([
    'backup-old critical',
    'export-old warning',
    'drill-old warning',
  ]);
  const [alert] = alertsOf([{ ...WELL, base: undefined }], NOW);
  expect(alert?.words).toMatch(
    /^There is no base backup in s3:\/\/backups\/office, which is watched for 100 days\./,
  );
});

test('a drill that failed is red at once, and one that proved nothing is never green', () => {
  const drill = { words: 'An index is damaged.', rtoMs: null, rpoMs: null };
  expect(names({ newestDrill: { ...drill, verdict: 'failed' } })).toEqual(['drill-red critical']);
  expect(names({ newestDrill: { ...drill, verdict: 'could-not-verify' } })).toEqual(['drill-red warning']);
});

test('a time in the future is no sign of health', () => {
  expect(names({ base: ago(-MINUTE) })).toEqual([]);
  expect(names({ base: ago(-DAY) })).toEqual(['clock-moved critical']);
});

test('an alert says what is old, since when, and what to do', () => {
  const [alert] = alertsOf([{ ...WELL, base: ago(50 * HOUR) }], NOW);
  expect(alert?.words).toBe(
    'The newest base backup of s3://backups/office is 2 days old (2026-11-29T04:00:00.000Z); it should be at most 26 hours. See why the last one failed, and make one: calculaud backup create.',
  );
});

test('of many damaged objects three are named', () => {
  const [alert] = alertsOf([{ ...WELL, corrupt: ['a', 'b', 'c', 'd', 'e'] }], NOW);
  expect(alert?.words).toContain('a, b, c and 2 more');
});

test('the ages of one healthy repository do not hide those of another', () => {
  const other = { ...WELL, address: 'file:///srv/backup', base: ago(3 * DAY), drill: ago(20 * DAY) };
  expect(alertsOf([WELL, other], NOW).map(({ name, repository }) => [name, repository])).toEqual([
    ['backup-old', 'file:///srv/backup'],
    ['drill-old', 'file:///srv/backup'],
  ]);
});

test('as metrics: ages as times, what is not known left out, names escaped', () => {
  const other = {
    ...WELL,
    address: 'file:///a"b\\c',
    base: undefined,
    export: ago(-DAY),
    drill: ago(-DAY),
    newestDrill: undefined,
    freeBytes: 5,
  };
  const repositories = [WELL, other];
  const text = prometheusText({ at: NOW, repositories, alerts: alertsOf(repositories, NOW) });
  expect(text).toContain('# TYPE calculaud_backup_last_success_timestamp_seconds gauge\n');
  expect(text).toContain(
    'calculaud_backup_last_success_timestamp_seconds{repository="s3://backups/office",kind="base"} 1796101200\n',
  );
  expect(text).not.toContain('{repository="file:///a\\"b\\\\c",kind="base"}');
  expect(text).toContain('calculaud_backup_repository_free_bytes{repository="file:///a\\"b\\\\c"} 5\n');
  expect(text).toContain('calculaud_backup_drill_rto_seconds{repository="s3://backups/office"} 15.8\n');
  expect(text).not.toMatch(/undefined|null|NaN/);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const series = lines.map((line) => line.slice(0, line.lastIndexOf(' ')));
  expect(new Set(series).size).toBe(series.length);
  for (const line of lines)
    expect(line).toMatch(/^calculaud_backup_[a-z_]+(\{([a-z]+="(\\.|[^"\\])*",?)+\})? -?\d+(\.\d+)?$/);
});
