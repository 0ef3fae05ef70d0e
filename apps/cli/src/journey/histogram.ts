/** Each bucket is so much wider than the one before: a quantile is wrong by at most half of it. */
const GROWTH = 1.01;

export interface Latencies {
  readonly p50_ms: number | null;
  readonly p99_ms: number | null;
  readonly max_ms: number | null;
}

/** Latencies in a few hundred buckets, however many there are. */
export class Histogram {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #max = 0;

  add(ms: number): void {
    const bucket = Math.round(Math.log(Math.max(ms, 0.01)) / Math.log(GROWTH));
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count += 1;
    this.#max = Math.max(this.#max, ms);
  }

  latencies(): Latencies {
    if (this.#count === 0) return { p50_ms: null, p99_ms: null, max_ms: null };
    return { p50_ms: this.#quantile(0.5), p99_ms: this.#quantile(0.99), max_ms: rounded(this.#max) };
  }

  #quantile(part: number): number {
    let left = Math.max(1, Math.ceil(this.#count * part));
    for (const [bucket, count] of [...this.#buckets].toSorted(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return rounded(Math.min(this.#max, GROWTH ** bucket));
    }
    return rounded(this.#max);
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
