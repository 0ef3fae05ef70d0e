import { expect, test } from 'vitest';
import { parseCounts } from './counts.ts';

test('services with their numbers', () => {
  expect(parseCounts(['api=4', 'worker=2'])).toEqual({ api: 4, worker: 2 });
  expect(parseCounts(['worker=20'])).toEqual({ worker: 20 });
});

test.each([
  ['api=0', 'Somebody has to answer users'],
  ['worker=0', 'Nobody would do the background work'],
  ['api=21', 'more than the 20'],
  ['api=-1', 'no number'],
  ['api=1.5', 'no number'],
  ['api=', 'no number'],
  ['api', 'no service with a number'],
  ['=3', 'no service with a number'],
  ['database=2', 'only be one database'],
  ['api-blue=3', 'say api=3'],
  ['mail=2', 'no service with a number'],
])('%s is refused: %s', (word, why) => {
  expect(() => parseCounts([word])).toThrow(why);
});

test('a service that is there twice is refused', () => {
  expect(() => parseCounts(['api=2', 'api=3'])).toThrow('api is there twice');
});
