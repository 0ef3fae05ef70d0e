import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { amount, boolean, day, id, integer, isRepeated, oneOf, repeated, text } from './input.ts';

/** The value, or the type of the refusal. */
function parse(schema: z.ZodType, input: unknown): unknown {
  const result = schema.safeParse(input);
  if (result.success) {
    return result.data;
  }
  const [issue] = result.error.issues;
  return issue?.code === 'custom' ? issue.params?.['type'] : issue?.code;
}

describe('what v1 accepted and refused (contract 2.1.7)', () => {
  test.each([
    [5, 5],
    ['5', 5],
    [' 5 ', 5],
    ['+5', 5],
    ['-5', -5],
    ['5.0', 5],
    [5.0, 5],
    [true, 1],
    [false, 0],
    [1.5, 'int_from_float'],
    ['1.5', 'int_parsing'],
    ['1e3', 'int_parsing'],
    ['', 'int_parsing'],
    ['٣', 'int_parsing'],
    [null, 'int_type'],
    [[], 'int_type'],
    [{}, 'int_type'],
    [undefined, 'missing'],
    [2_147_483_648, 'less_than_equal'],
    ['-2147483649', 'greater_than_equal'],
    [Number.NaN, 'int_from_float'],
    ['9'.repeat(400), 'less_than_equal'],
  ])('integer: %j is %j', (input, expected) => {
    expect(parse(id(), input)).toBe(expected);
  });

  test.each([
    [0, 0],
    [-0, 0],
    ['1e3', 1000],
    [' .5 ', 0.5],
    [0.1, 0.1],
    [999_999_999_999_999, 999_999_999_999_999],
    [-0.01, 'greater_than_equal'],
    [1e15, 'less_than'],
    [Number.POSITIVE_INFINITY, 'finite_number'],
    ['inf', 'finite_number'],
    ['-Infinity', 'finite_number'],
    ['nan', 'finite_number'],
    ['1e999', 'finite_number'],
    ['0x10', 'float_parsing'],
    ['', 'float_parsing'],
    [null, 'float_parsing'],
    [[1], 'float_parsing'],
  ])('amount: %j is %j', (input, expected) => {
    expect(parse(amount(), input)).toBe(expected);
  });

  test.each([
    [true, true],
    [1, true],
    ['YES', true],
    ['t', true],
    ['on', true],
    ['1', true],
    [0, false],
    ['No', false],
    ['off', false],
    ['f', false],
    [2, 'bool_parsing'],
    ['', 'bool_parsing'],
    [null, 'bool_parsing'],
    [[true], 'bool_parsing'],
    [{ toString: 1, valueOf: 2 }, 'bool_parsing'],
  ])('boolean: %j is %j', (input, expected) => {
    expect(parse(boolean(), input)).toBe(expected);
  });

  test.each([
    ['2026-11-23', '2026-11-23'],
    ['2024-02-29', '2024-02-29'],
    ['2026-11-23T00:00:00', '2026-11-23'],
    ['2026-11-23 00:00:00.000+02:00', '2026-11-23'],
    ['2026-11-23T00:00Z', '2026-11-23'],
    [0, '1970-01-01'],
    ['86400', '1970-01-02'],
    [1_764_806_400_000, '2025-12-04'],
    ['2026-02-30', 'date_from_datetime_parsing'],
    ['2025-02-29', 'date_from_datetime_parsing'],
    ['', 'date_from_datetime_parsing'],
    ['23/11/2026', 'date_from_datetime_parsing'],
    ['0000-01-01', 'date_from_datetime_parsing'],
    ['2026-11-23T08:30:00', 'date_from_datetime_inexact'],
    [1, 'date_from_datetime_inexact'],
    [1e300, 'date_from_datetime_parsing'],
    [null, 'date_type'],
    [{}, 'date_type'],
  ])('day: %j is %j', (input, expected) => {
    expect(parse(day(), input)).toBe(expected);
  });

  test.each([
    ['', ''],
    [' a ', ' a '],
    ['א'.repeat(10), 'א'.repeat(10)],
    ['🚚'.repeat(10), '🚚'.repeat(10)],
    ['x'.repeat(11), 'string_too_long'],
    [5, 'string_type'],
    [null, 'string_type'],
    ['a\u0000', 'string_unicode'],
    ['\ud800', 'string_unicode'],
  ])('text of at most 10: %j is %j', (input, expected) => {
    expect(parse(text({ max: 10 }), input)).toBe(expected);
  });

  test('a text may not be shorter than its least length', () => {
    expect(parse(text({ min: 1 }), '')).toBe('string_too_short');
  });

  test('an enumeration takes the exact upper-case value only', () => {
    expect(parse(oneOf(['SIGNED', 'COMPLETED']), 'SIGNED')).toBe('SIGNED');
    expect(parse(oneOf(['SIGNED', 'COMPLETED']), 'signed')).toBe('enum');
  });
});

test('a repeated parameter takes one value or several, any other is not repeated', () => {
  const many = repeated(integer(), 'Numbers.');
  expect(parse(many, '5')).toEqual([5]);
  expect(parse(many, ['5', 6])).toEqual([5, 6]);
  expect(parse(many, undefined)).toBeUndefined();
  expect(isRepeated(many)).toBe(true);
  expect(isRepeated(integer())).toBe(false);
});

test('no input, however strange, throws', () => {
  const kinds = [
    integer(),
    amount(),
    boolean(),
    text({ min: 1, max: 5 }),
    day(),
    oneOf(['A']),
    repeated(integer(), 'Numbers.'),
  ];
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true }), (input) => {
      for (const kind of kinds) {
        expect(() => kind.safeParse(input)).not.toThrow();
      }
    }),
  );
});
