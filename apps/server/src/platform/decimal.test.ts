import fc from 'fast-check';
import { expect, test } from 'vitest';
import { add, compare, decimal, decimalText, multiply } from './decimal.ts';

const written = fc
  .tuple(fc.bigInt(-(10n ** 20n), 10n ** 20n), fc.integer({ min: 0, max: 12 }))
  .map(([units, scale]) => ({ units, scale }));

test('reads what PostgreSQL and JavaScript write', () => {
  expect(decimalText(decimal('400000'))).toBe('400000');
  expect(decimalText(decimal('0400000.500'))).toBe('400000.5');
  expect(decimalText(decimal(1e-7))).toBe('0.0000001');
  expect(decimalText(decimal(1e21))).toBe('1000000000000000000000');
  expect(decimalText(decimal('-0.05'))).toBe('-0.05');
  expect(decimalText(decimal(5e-324))).toBe(`0.${'0'.repeat(323)}5`);
  expect(() => decimal('Infinity')).toThrow('Infinity');
  expect(() => decimal('NaN')).toThrow('NaN');
});

test('what is written is read back as the same number', () => {
  fc.assert(
    fc.property(written, (number) => {
      expect(compare(decimal(decimalText(number)), number)).toBe(0);
    }),
  );
});

test('adds, multiplies and compares exactly, where floats do not', () => {
  expect(decimalText(add(decimal(0.1), decimal(0.2)))).toBe('0.3');
  expect(decimalText(multiply(decimal('1.1'), decimal('1.1')))).toBe('1.21');
  fc.assert(
    fc.property(written, written, (one, other) => {
      // The same with whole numbers, at a common scale of 12.
      const whole = ({ units, scale }: typeof one) => units * 10n ** BigInt(12 - scale);
      expect(compare(add(one, other), { units: whole(one) + whole(other), scale: 12 })).toBe(0);
      expect(compare(multiply(one, other), { units: whole(one) * whole(other), scale: 24 })).toBe(0);
      expect(Math.sign(compare(one, other))).toBe(
        Number(whole(one) > whole(other)) - Number(whole(one) < whole(other)),
      );
    }),
  );
});
