import { expect, test } from 'vitest';
import { endInWords } from './failure.ts';

test.each<[string, number | null, readonly string[], string]>([
  ['a program that failed', 2, ['1 journey failed'], 'it ended with 2'],
  ['a program that was killed', null, [], 'it ended with a signal'],
  ['an image that is not there', 125, ['docker: No such image: calculaud:9'], 'it ended with 125'],
  [
    'a connection that was lost',
    125,
    ['level=error msg="error waiting for container: unexpected EOF"'],
    'the connection with its host broke off',
  ],
])('%s', (_, exitCode, lastLines, words) => {
  expect(endInWords(exitCode, lastLines)).toBe(words);
});
