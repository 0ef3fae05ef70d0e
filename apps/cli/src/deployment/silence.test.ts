import { expect, test } from 'vitest';
import { type Silence, watched } from './silence.ts';

/** Looks at [time, version] one after the other. */
function after(...looks: readonly (readonly [now: number, version: number])[]): Silence | undefined {
  return looks.reduce<Silence | undefined>(
    (before, [now, version]) => watched(before, { version, now, longestGap: 5000 }),
    undefined,
  );
}

test('a record that does not change is silent for as long as it was watched', () => {
  expect(after([0, 7], [1000, 7], [2000, 7])).toMatchObject({ lasting: 2000, broken: false });
});

test('a change breaks the silence and starts it anew', () => {
  expect(after([0, 7], [4000, 7], [5000, 8], [6000, 8])).toMatchObject({ lasting: 1000, broken: true });
});

test('a time in which nobody could look does not count as silence', () => {
  expect(after([0, 7], [4000, 7], [24_000, 7])).toMatchObject({ lasting: 0, broken: false });
});

test('the first look knows nothing yet', () => {
  expect(after([1000, 7])).toMatchObject({ lasting: 0, broken: false });
});
