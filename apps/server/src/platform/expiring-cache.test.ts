import { expect, test } from 'vitest';
import { ExpiringCache } from './expiring-cache.ts';

function counting(lifetimeMs: number) {
  const loads: string[] = [];
  const cache = new ExpiringCache<string>(3);
  const lookUp = (key: string) =>
    cache.lookUp(key, async () => {
      loads.push(key);
      return { value: key.toUpperCase(), lifetimeMs };
    });
  return { loads, lookUp };
}

test('what was found out is not asked again', async () => {
  const { loads, lookUp } = counting(60_000);
  expect(await lookUp('a')).toBe('A');
  expect(await lookUp('a')).toBe('A');
  expect(loads).toEqual(['a']);
});

test('it is asked again when its time is over', async () => {
  const { loads, lookUp } = counting(0);
  await lookUp('a');
  await lookUp('a');
  expect(loads).toEqual(['a', 'a']);
});

test('callers at the same time share one load', async () => {
  const { loads, lookUp } = counting(60_000);
  expect(await Promise.all([lookUp('a'), lookUp('a'), lookUp('a')])).toEqual(['A', 'A', 'A']);
  expect(loads).toEqual(['a']);
});

test('a failure reaches every caller and is not remembered', async () => {
  const cache = new ExpiringCache<string>(3);
  const failing = () => cache.lookUp('a', async () => Promise.reject(new Error('no')));
  await expect(Promise.allSettled([failing(), failing()])).resolves.toMatchObject([
    { status: 'rejected' },
    { status: 'rejected' },
  ]);
  expect(await cache.lookUp('a', async () => ({ value: 'A', lifetimeMs: 1000 }))).toBe('A');
});

test('beyond its capacity it forgets what was not used for the longest time', async () => {
  const { loads, lookUp } = counting(60_000);
  for (const key of ['a', 'b', 'c', 'a', 'd', 'a', 'b']) await lookUp(key);
  expect(loads).toEqual(['a', 'b', 'c', 'd', 'b']);
});
