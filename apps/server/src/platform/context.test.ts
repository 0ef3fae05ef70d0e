import { expect, test } from 'vitest';
import { calendarDay } from './context.ts';

test('the day changes with the first instant of midnight in the zone, forwards and backwards', () => {
  const days = [
    '2026-01-15T21:59:59.999Z',
    '2026-01-15T22:00:00.000Z',
    '2026-01-15T21:59:59.999Z',
    '2026-07-15T20:59:59.999Z',
    '2026-07-15T21:00:00.000Z',
  ].map((instant) => calendarDay(new Date(instant), 'Asia/Jerusalem'));
  expect(days).toEqual(['2026-01-15', '2026-01-16', '2026-01-15', '2026-07-15', '2026-07-16']);
});

test('the same instant is another day elsewhere', () => {
  const instant = new Date('2026-01-15T10:30:00Z');
  expect(
    ['Pacific/Kiritimati', 'UTC', 'Pacific/Pago_Pago'].map((zone) => calendarDay(instant, zone)),
  ).toEqual(['2026-01-16', '2026-01-15', '2026-01-14']);
});
