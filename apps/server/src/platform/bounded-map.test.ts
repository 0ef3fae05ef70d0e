import { expect, test } from 'vitest';
import { BoundedMap } from './bounded-map.ts';

test('it never grows beyond its capacity', () => {
  const map = new BoundedMap<number>(100);
  for (let index = 0; index < 1000; index += 1) map.set(`key ${index}`, index);
  expect(map.size).toBe(100);
  expect(map.get('key 899')).toBeUndefined();
  expect(map.get('key 900')).toBe(900);
});

test('setting again is use, and takes no further room', () => {
  const map = new BoundedMap<number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.set('a', 3);
  map.set('c', 4);
  expect(map.get('a')).toBe(3);
  expect(map.get('b')).toBeUndefined();
});
