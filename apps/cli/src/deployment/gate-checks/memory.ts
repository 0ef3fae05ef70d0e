import type { MemoryReading, Side } from '../evidence.ts';
import type { GateLimits } from '../gate-limits.ts';
import { grouped } from '../grouped.ts';
import type { Reason, Verdict } from '../judgement.ts';
import { slope } from '../statistics.ts';

/** Whether the new version keeps more of every request than the old one: what grows on and on is a leak. */
export function judgeMemory(readings: readonly MemoryReading[], limits: GateLimits): Reason {
  const grown = growths(readings, 'new');
  const oldGrowth = Math.max(
    0,
    ...growths(readings, 'old')
      .filter(({ readings: n }) => n >= 3)
      .map((own) => own.perRequest),
  );
  const worst = grown.toSorted((a, b) => b.perRequest - a.perRequest)[0];
  const reason = (verdict: Verdict, words: string): Reason => ({
    check: 'memory',
    verdict,
    words,
    figures: {
      bytes_per_1000_requests_old: Math.round(oldGrowth * 1000),
      bytes_per_1000_requests_new: Math.round((worst?.perRequest ?? 0) * 1000),
      requests: worst?.requests ?? 0,
    },
  });
  if (!worst) return reason('inconclusive', 'nothing is known of the memory of the new version yet');
  const words =
    `the new version grew by ${megabytes(worst.perRequest * 1000)} per 1000 requests (${worst.requests} requests), ` +
    `the old one by ${megabytes(oldGrowth * 1000)}`;
  const leaks = (growth: Growth) =>
    growth.requests >= limits.leakLeastRequests &&
    growth.readings >= limits.leakLeastReadings &&
    growth.bytes - oldGrowth * growth.requests >= limits.leakLeastBytes &&
    Math.min(growth.perRequest, growth.perRequestLately) - oldGrowth > limits.leakBytesPerRequest;
  if (grown.some(leaks)) return reason('fail', words);
  const known = grown.every(
    ({ requests, readings: n }) => requests >= limits.leakLeastRequests && n >= limits.leakLeastReadings,
  );
  if (!known) return reason('inconclusive', `${words}: too few to be sure`);
  return grown.every((growth) => growth.perRequestLately - oldGrowth < limits.leakBytesPerRequest)
    ? reason('pass', words)
    : reason('inconclusive', `${words}: perhaps it is only warming up`);
}

interface Growth {
  readonly readings: number;
  readonly requests: number;
  readonly bytes: number;
  readonly perRequest: number;
  /** In the later half: what fills a cache grows less and less. */
  readonly perRequestLately: number;
}

function growths(readings: readonly MemoryReading[], side: Side): Growth[] {
  const instances = grouped(
    readings.filter((reading) => reading.side === side),
    ({ instance }) => instance,
  );
  return [...instances.values()].map(thinned).flatMap((own) => {
    const [first, last] = [own[0], own.at(-1)];
    if (!first || !last || own.length < 2) return [];
    const points = own.map(({ requests, liveBytes }) => [requests, liveBytes] as const);
    return [
      {
        readings: own.length,
        requests: last.requests - first.requests,
        bytes: last.liveBytes - first.liveBytes,
        perRequest: orZero(slope(points)),
        perRequestLately: orZero(slope(points.slice(Math.floor((points.length - 1) / 2)))),
      },
    ];
  });
}

/** Enough for a slope; every pair of points is looked at. */
const MOST_POINTS = 40;

/** The last one stays, whatever goes. */
function thinned<T>(readings: readonly T[]): readonly T[] {
  const step = Math.ceil(readings.length / MOST_POINTS);
  return readings.filter((_, index) => (readings.length - 1 - index) % step === 0);
}

/** Of a process that answered nothing in between, no growth by its requests is known. */
function orZero(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
