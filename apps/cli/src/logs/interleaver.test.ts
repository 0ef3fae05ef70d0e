import { expect, test } from 'vitest';
import { Interleaver } from './interleaver.ts';

const written = (lines: readonly { readonly at: string }[]) => lines.map(({ at }) => at);

test('lines come in the order in which they were written, not in that of their arrival', () => {
  const lines = new Interleaver<{ at: string }>();
  lines.add({ at: '3' }, 0);
  lines.add({ at: '1' }, 100);
  lines.add({ at: '4' }, 200);
  lines.add({ at: '2' }, 300);
  expect(written(lines.rest())).toEqual(['1', '2', '3', '4']);
  expect(lines.rest()).toEqual([]);
});

test('a line waits for those that were written before it, and not for ever', () => {
  const lines = new Interleaver<{ at: string }>();
  lines.add({ at: '2' }, 0);
  lines.add({ at: '1' }, 400);
  lines.add({ at: '3' }, 400);
  expect(lines.ripe(499)).toEqual([]);
  expect(written(lines.ripe(500))).toEqual(['1', '2']);
  expect(written(lines.ripe(900))).toEqual(['3']);
});

test('lines of one moment keep the order of their arrival', () => {
  const lines = new Interleaver<{ at: string; text: string }>();
  for (const text of ['a', 'b', 'c']) lines.add({ at: '1', text }, 0);
  expect(lines.rest().map(({ text }) => text)).toEqual(['a', 'b', 'c']);
});
