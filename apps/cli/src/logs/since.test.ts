import { expect, test } from 'vitest';
import { parseSince } from './since.ts';

const NOW = new Date('2026-03-01T12:00:00Z');

test.each([
  ['90s', '2026-03-01T11:58:30.000Z'],
  ['10m', '2026-03-01T11:50:00.000Z'],
  ['2h', '2026-03-01T10:00:00.000Z'],
  ['3d', '2026-02-26T12:00:00.000Z'],
  ['2026-02-28', '2026-02-28T00:00:00.000Z'],
  ['2026-02-28 07:30', '2026-02-28T07:30:00.000Z'],
  ['2026-02-28T07:30:15.5Z', '2026-02-28T07:30:15.500Z'],
  ['2026-02-28T07:30:15+02:00', '2026-02-28T05:30:15.000Z'],
])('%s is %s', (text, expected) => {
  expect(parseSince(text, NOW)?.toISOString()).toBe(expected);
});

test.each(['', '10', '10w', 'yesterday', '-5m', '2026-02-31', '2026-13-01', '2026-02-28T25:00'])(
  '%j is no time',
  (text) => {
    expect(parseSince(text, NOW)).toBeUndefined();
  },
);
