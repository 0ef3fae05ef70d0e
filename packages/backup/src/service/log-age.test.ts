import { expect, test } from 'vitest';
import { LogAge } from './log-age.ts';

const at = (seconds: number) => new Date(Date.UTC(2026, 11, 1) + seconds * 1000);
const SYSTEM = '7412345678901234567';
const lsn = (bytes: number) => `0/${bytes.toString(16).toUpperCase()}`;

test('a server that writes all the time is complete up to what has arrived', () => {
  const age = new LogAge(undefined);
  for (let second = 0; second < 60; second += 1) {
    age.written(at(second), SYSTEM, lsn(1000 * second));
    age.shipped(SYSTEM, lsn(1000 * Math.max(0, second - 5)));
  }
  expect(age.complete).toEqual(at(54));
});

test('an idle server is complete up to the last look at it', () => {
  const age = new LogAge(undefined);
  age.written(at(0), SYSTEM, lsn(5000));
  age.shipped(SYSTEM, lsn(5000));
  for (const second of [600, 1200]) {
    age.written(at(second), SYSTEM, lsn(5000));
    age.shipped(SYSTEM, lsn(5000));
  }
  expect(age.complete).toEqual(at(1200));
});

test('while nothing arrives the age grows, over a restart, too, and days of it stay small', () => {
  const age = new LogAge(at(-30));
  for (let second = 0; second < 200_000; second += 2) age.written(at(second), SYSTEM, lsn(1000 + second));
  age.shipped(SYSTEM, lsn(900));
  expect(age.complete).toEqual(at(-30));
  age.shipped(SYSTEM, lsn(1000 + 100_000));
  const told = ((age.complete?.getTime() ?? 0) - at(0).getTime()) / 1000;
  expect(told).toBeLessThanOrEqual(100_000);
  expect(told).toBeGreaterThan(100_000 - 600);
});

test('positions of another cluster say nothing of this one', () => {
  const age = new LogAge(undefined);
  age.written(at(0), SYSTEM, lsn(1000));
  age.shipped('7499999999999999999', lsn(9000));
  expect(age.complete).toBeUndefined();
});
