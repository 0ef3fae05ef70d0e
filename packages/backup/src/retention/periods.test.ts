import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isoWeek } from './periods.ts';

test.each([
  ['2026-12-01T00:00:00Z', '2026-W49'],
  ['2026-01-01T00:00:00Z', '2026-W01'],
  ['2027-01-01T12:00:00Z', '2026-W53'],
  ['2021-01-03T23:59:59Z', '2020-W53'],
  ['2021-01-04T00:00:00Z', '2021-W01'],
  ['2024-12-30T00:00:00Z', '2025-W01'],
])('%s is in the week %s', (time, week) => {
  expect(isoWeek(new Date(time))).toBe(week);
});

test('a week has seven days, begins on Monday, and the next one has another name', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60_000 }), (day) => {
      const time = new Date(day * 86_400_000);
      const next = new Date(time.getTime() + 86_400_000);
      expect(isoWeek(time) === isoWeek(next)).toBe(next.getUTCDay() !== 1);
    }),
  );
});
