/** How fast a piece of work is done by several workers at once. */
export interface Speed {
  readonly count: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

export interface LoadOptions {
  readonly concurrency: number;
  readonly requests: number;
  /** It goes on for so many seconds even when the requests are done: a few milliseconds would measure chance. */
  readonly leastSeconds: number;
  /** No piece of work begins after so many seconds: what takes a second each is known well enough from a few. */
  readonly mostSeconds: number;
}

export async function load(
  work: (worker: number) => Promise<unknown>,
  { concurrency, requests, leastSeconds, mostSeconds }: LoadOptions,
): Promise<Speed> {
  const times: number[] = [];
  const begin = performance.now();
  let begun = 0;
  const goesOn = () => {
    const seconds = (performance.now() - begin) / 1000;
    return seconds < leastSeconds || (begun < requests && seconds < mostSeconds);
  };
  await Promise.all(
    Array.from({ length: concurrency }, async (_, worker) => {
      while (goesOn()) {
        begun += 1;
        const start = performance.now();
        await work(worker);
        times.push(performance.now() - start);
      }
    }),
  );
  const elapsed = performance.now() - begin;
  times.sort((a, b) => a - b);
  return {
    count: times.length,
    perSecond: (times.length * 1000) / elapsed,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
  };
}

export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Each figure is the median of that figure: one disturbed repeat among three changes nothing. */
export function medianSpeed(speeds: readonly Speed[]): Speed {
  return {
    count: speeds.reduce((sum, speed) => sum + speed.count, 0),
    perSecond: median(speeds.map((speed) => speed.perSecond)),
    p50: median(speeds.map((speed) => speed.p50)),
    p99: median(speeds.map((speed) => speed.p99)),
  };
}

/** Of sorted values: the smallest that is not below the given part of them. */
function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN;
}
