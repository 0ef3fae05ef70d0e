import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { binomialTail, fisherTail, quantile, signedRankTail, slope } from './statistics.ts';

describe('the tail of the binomial distribution', () => {
  test.each([
    [1, 1, 0.5, 0.5],
    [2, 3, 0.5, 0.5],
    [3, 15, 0.01, 0.000_415_8],
    [10, 100, 0.05, 0.028_188],
    [0, 7, 0.2, 1],
    [8, 7, 0.2, 0],
  ])('%i of %i at %d', (k, n, p, expected) => {
    expect(binomialTail(k, n, p)).toBeCloseTo(expected, 5);
  });

  test('is a probability that shrinks with every further success', () => {
    const cases = fc.record({
      n: fc.nat(2000),
      k: fc.nat(2000),
      p: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(cases, ({ n, k, p }) => {
        const tail = binomialTail(k, n, p);
        expect(tail).toBeGreaterThanOrEqual(0);
        expect(tail).toBeLessThanOrEqual(1);
        expect(binomialTail(k + 1, n, p)).toBeLessThanOrEqual(tail + 1e-9);
      }),
    );
  });
});

describe("Fisher's exact test", () => {
  test.each([
    // The lady who tastes tea, and tables worked out by hand.
    [{ failed: 3, of: 4 }, { failed: 1, of: 4 }, 17 / 70],
    [{ failed: 4, of: 4 }, { failed: 0, of: 4 }, 1 / 70],
    [{ failed: 0, of: 20 }, { failed: 5, of: 20 }, 1],
  ])('%j against %j', (first, second, expected) => {
    expect(fisherTail(first, second)).toBeCloseTo(expected, 9);
  });

  test('stands the counters of a busy gateway', () => {
    expect(fisherTail({ failed: 20, of: 1000 }, { failed: 100, of: 5_000_000 })).toBeLessThan(1e-20);
    expect(fisherTail({ failed: 1, of: 10_000 }, { failed: 500, of: 5_000_000 })).toBeCloseTo(0.63, 1);
  });

  test('both sides together are certain: one of them has at least its share', () => {
    const side = fc.nat(200).chain((of) => fc.record({ of: fc.constant(of), failed: fc.nat(of) }));
    fc.assert(
      fc.property(side, side, (a, b) => {
        expect(fisherTail(a, b) + fisherTail(b, a)).toBeGreaterThanOrEqual(1 - 1e-9);
      }),
    );
  });
});

describe('the signed rank test', () => {
  test('knows a symmetric sample from a shifted one', () => {
    const symmetric = Array.from({ length: 40 }, (_, index) => (index % 2 ? 1 : -1) * (index + 1));
    expect(signedRankTail(symmetric)).toBeGreaterThan(0.3);
    expect(signedRankTail(symmetric.map((value) => value + 30))).toBeLessThan(1e-5);
    expect(signedRankTail([])).toBe(1);
  });

  test('what is above for one direction is below for the other', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 20, maxLength: 200 }),
        (values) => {
          const both = signedRankTail(values) + signedRankTail(values.map((value) => -value));
          expect(both).toBeGreaterThanOrEqual(1 - 1e-6);
          expect(both).toBeLessThanOrEqual(2);
        },
      ),
    );
  });

  test('one chance in twenty comes up about once in twenty', () => {
    let seed = 1;
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647 - 0.5;
    };
    const runs = Array.from({ length: 2000 }, () => signedRankTail(Array.from({ length: 30 }, random)));
    const part = runs.filter((chance) => chance < 0.05).length / runs.length;
    expect(part).toBeGreaterThan(0.03);
    expect(part).toBeLessThan(0.07);
  });
});

test('a slope is not moved by a wild point', () => {
  const points = Array.from({ length: 9 }, (_, x) => [x, x === 4 ? 1000 : 3 * x + 1] as const);
  expect(slope(points)).toBe(3);
  expect(slope([[1, 1]])).toBeNaN();
  expect(
    slope([
      [1, 1],
      [1, 5],
    ]),
  ).toBeNaN();
});

test('a quantile is a value of the sample', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([0, 0.5, 0.99, 1].map((part) => quantile(hundred, part))).toEqual([1, 50, 99, 100]);
  expect(quantile([], 0.5)).toBeNaN();
});
