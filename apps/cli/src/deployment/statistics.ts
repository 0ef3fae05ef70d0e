/** The few tests that the gates decide by. Pure arithmetic; every probability is one-sided. */

/** Of successes that come with chance p: how likely are k or more among n? */
export function binomialTail(k: number, n: number, p: number): number {
  if (k <= 0) return 1;
  if (k > n || p <= 0) return 0;
  if (p >= 1) return 1;
  let sum = 0;
  for (let hits = k; hits <= n; hits += 1) {
    const term = Math.exp(logChoose(n, hits) + hits * Math.log(p) + (n - hits) * Math.log1p(-p));
    sum += term;
    // Beyond the mean the terms only shrink; what is left adds nothing that a number could hold.
    if (hits > n * p && term < sum * 1e-12) break;
  }
  return Math.min(1, sum);
}

/** Fisher's exact test: were both sides equally bad, how likely would so many of all failures (or more) be the first's? */
export function fisherTail(first: Failures, second: Failures): number {
  const all = first.of + second.of;
  const failed = first.failed + second.failed;
  const total = logChoose(all, failed);
  let sum = 0;
  for (let own = first.failed; own <= Math.min(failed, first.of); own += 1) {
    if (failed - own > second.of) continue;
    sum += Math.exp(logChoose(first.of, own) + logChoose(second.of, failed - own) - total);
  }
  return Math.min(1, sum);
}

export interface Failures {
  readonly failed: number;
  readonly of: number;
}

/**
 * Wilcoxon's signed rank test: were the differences symmetric around zero, how likely would they lie so far above it?
 * By the normal approximation, which is careful in the far tail; meant for twenty and more.
 */
export function signedRankTail(differences: readonly number[]): number {
  const sorted = differences
    .filter((difference) => difference !== 0)
    .toSorted((a, b) => Math.abs(a) - Math.abs(b));
  const n = sorted.length;
  if (n === 0) return 1;
  let above = 0;
  let ties = 0;
  for (let from = 0; from < n; ) {
    let to = from + 1;
    while (to < n && Math.abs(sorted[to] ?? 0) === Math.abs(sorted[from] ?? 0)) to += 1;
    const rank = (from + 1 + to) / 2;
    above += rank * sorted.slice(from, to).filter((difference) => difference > 0).length;
    ties += (to - from) ** 3 - (to - from);
    from = to;
  }
  const mean = (n * (n + 1)) / 4;
  const variance = (n * (n + 1) * (2 * n + 1)) / 24 - ties / 48;
  return normalTail((above - mean - 0.5) / Math.sqrt(variance));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The smallest value that is not below the given part of all; NaN when there are none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}

/** Theil and Sen's slope, the median of the slopes between all points: a few wild ones do not move it. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes = points.flatMap(([x, y], index) =>
    points
      .slice(index + 1)
      .flatMap(([laterX, laterY]) => (laterX === x ? [] : [(laterY - y) / (laterX - x)])),
  );
  return median(slopes);
}

/** How likely is a standard normal value above z? (Abramowitz and Stegun 26.2.17, wrong by less than 1e-7, of the tail.) */
function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  const t = 1 / (1 + 0.231_641_9 * z);
  const polynomial =
    t *
    (0.319_381_53 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * polynomial;
}

function logChoose(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}

const logFactorials = [0];

/** Exact sums for what gates see; Stirling's series, right to the last digit, for the counters of a busy gateway. */
function logFactorial(n: number): number {
  if (n > 10_000) return n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + 1 / (12 * n);
  for (let next = logFactorials.length; next <= n; next += 1) {
    logFactorials.push((logFactorials[next - 1] ?? 0) + Math.log(next));
  }
  return logFactorials[n] ?? 0;
}
