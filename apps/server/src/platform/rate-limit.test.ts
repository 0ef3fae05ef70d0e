import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Problem } from './problem.ts';
import { callerOf, RateLimit } from './rate-limit.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The seconds to wait; undefined when the request was let through. */
function take(limit: RateLimit, address: string): string | undefined {
  try {
    limit.take(address);
    return undefined;
  } catch (error) {
    if (error instanceof Problem && error.status === 429) return error.headers['retry-after'];
    throw error;
  }
}

test('an address gets its requests at once and then has to wait for the next one', () => {
  const limit = new RateLimit(3, 60_000);
  expect([1, 2, 3].map(() => take(limit, '192.0.2.1'))).toEqual([undefined, undefined, undefined]);
  expect(take(limit, '192.0.2.1')).toBe('20');
  vi.advanceTimersByTime(15_000);
  expect(take(limit, '192.0.2.1')).toBe('5');
  vi.advanceTimersByTime(5_000);
  expect(take(limit, '192.0.2.1')).toBeUndefined();
  expect(take(limit, '192.0.2.1')).toBe('20');
});

test('a refused request costs nothing, and a quiet minute gives everything back', () => {
  const limit = new RateLimit(2, 60_000);
  for (let count = 0; count < 50; count += 1) take(limit, '192.0.2.1');
  vi.advanceTimersByTime(60_000);
  expect([1, 2].map(() => take(limit, '192.0.2.1'))).toEqual([undefined, undefined]);
  expect(take(limit, '192.0.2.1')).toBe('30');
});

test('other addresses are not concerned', () => {
  const limit = new RateLimit(1, 60_000);
  limit.take('192.0.2.1');
  expect(take(limit, '192.0.2.1')).toBe('60');
  expect(take(limit, '192.0.2.2')).toBeUndefined();
});

describe('who counts as one caller', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1:2:3:4%eth0', 'fe80:0:0:0::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
  ])('%s', (address, caller) => {
    expect(callerOf(address)).toBe(caller);
  });
});
