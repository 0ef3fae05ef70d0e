import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson, hashOf, shortened } from './json.ts';

describe('canonical JSON', () => {
  test('does not depend on the order of keys, at any depth', () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
  });

  test('depends on the order of a list', () => {
    expect(hashOf([1, 2])).not.toBe(hashOf([2, 1]));
  });

  test('says the same of content that was written and read again', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(hashOf(JSON.parse(JSON.stringify(value)))).toBe(hashOf(value));
      }),
    );
  });
});

test('content is cut only when it is longer than it may be', () => {
  expect(shortened({ a: 'xyz' }, 11)).toEqual({ a: 'xyz' });
  expect(shortened({ a: 'xyz' }, 5)).toBe('{"a": …');
});
