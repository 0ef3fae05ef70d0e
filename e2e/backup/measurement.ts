/** What several runs say together. */

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? Number.NaN, sorted[Math.floor(middle)] ?? Number.NaN];
  return (low + high) / 2;
}

export interface Interval {
  readonly median: number;
  readonly from: number;
  readonly to: number;
}

/** The median with its 90 % interval, by drawing from the values again and again; the same values give the same answer. */
export function bootstrapped(values: readonly number[], draws = 4000): Interval {
  let state = 42;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const medians = Array.from({ length: draws }, () =>
    median(values.map(() => values[Math.floor(random() * values.length)] ?? Number.NaN)),
  ).toSorted((a, b) => a - b);
  const at = (share: number) => medians[Math.floor(share * (draws - 1))] ?? Number.NaN;
  return { median: median(values), from: at(0.05), to: at(0.95) };
}

export function inWords({ median: middle, from, to }: Interval): string {
  return `${middle.toFixed(3)} (90 %: ${from.toFixed(3)} to ${to.toFixed(3)})`;
}
