import { expect, test } from 'vitest';
import { page } from './redrawn.ts';

test('a page is drawn over the one before, and never longer than the terminal', () => {
  const text = page('one\ntwo\nthree\nfour', 4);
  expect(text).toContain('one\u001b[K\ntwo\u001b[K\nthree\u001b[K');
  expect(text).not.toContain('four');
  expect(text.startsWith('\u001b[H')).toBe(true);
  // What the page before had below is gone.
  expect(text.endsWith('\u001b[J')).toBe(true);
});
