import { describe, expect, test } from 'vitest';
import { formatApiToken, hashOf, isApiToken, newSecret, parseApiToken } from './api-token.ts';

describe('the text of an API token', () => {
  const secret = newSecret();
  const token = formatApiToken({ id: 17, secret });

  test('is recognisable and holds 160 bits that nobody can guess', () => {
    expect(isApiToken(token)).toBe(true);
    expect(token).toMatch(/^cal_17_[\da-f]{46}$/);
    expect(new Set(Array.from({ length: 100 }, newSecret)).size).toBe(100);
  });

  test('gives back what it was made of', () => {
    expect(parseApiToken(token)).toEqual({ id: 17, secret });
  });

  test('is not accepted with any character changed, added or left out', () => {
    const changed = [...token].map((character, index) => {
      const other = character === '1' ? '2' : '1';
      return `${token.slice(0, index)}${other}${token.slice(index + 1)}`;
    });
    const wrong = [...changed, `${token}0`, token.slice(0, -1), token.toUpperCase(), `${token}\n`];
    expect(wrong.filter((text) => parseApiToken(text) !== undefined)).toEqual([]);
  });

  test('has an id that the database can hold', () => {
    expect(parseApiToken(formatApiToken({ id: 999_999_999, secret }))?.id).toBe(999_999_999);
    expect(parseApiToken(formatApiToken({ id: 2_147_483_648, secret }))).toBeUndefined();
    expect(parseApiToken(formatApiToken({ id: 0, secret }))).toBeUndefined();
  });

  test('is stored as a hash only', () => {
    expect(hashOf(secret)).toHaveLength(32);
    expect(hashOf(secret).toString('hex')).not.toContain(secret);
  });
});
