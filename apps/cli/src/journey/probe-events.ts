import { z } from 'zod';

/**
 * The lines of `calculaud probe --json`, which the deployment reads. Times (`at_ms`) count from the start of the prober.
 */

const latencies = {
  p50_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
  max_ms: z.number().nullable(),
};
const counts = { sent: z.int(), failed: z.int() };

const failure = z.object({
  at_ms: z.number(),
  phase: z.string(),
  target: z.string(),
  kind: z.string(),
  request: z.string(),
  /** The status, or `reset`, `refused`, `time-out`, `broken off`, or what was wrong with the answer. */
  what: z.string(),
  status: z.int().nullable(),
  ms: z.number(),
  body: z.string().nullable(),
  request_id: z.string().nullable(),
});
export type ProbeFailure = z.output<typeof failure>;

const answer = z.object({ ok: z.boolean(), ms: z.number(), problem: z.string().optional() });
const pair = z.object({ kind: z.string(), at_ms: z.number(), old: answer, new: answer });

const slow = z.object({
  at_ms: z.number(),
  phase: z.string(),
  target: z.string(),
  kind: z.string(),
  ms: z.number(),
});

const writes = z.object({
  sent: z.int(),
  acknowledged: z.int(),
  /** Those without an answer, sent again with their key at the end. */
  repeated: z.int(),
  /** Acknowledged, and not there. */
  lost: z.int(),
  /** There more than once. */
  doubled: z.int(),
  /** False: the system could not be asked at the end, so nobody knows. */
  verified: z.boolean(),
});

const summary = z.object({
  seconds: z.number(),
  ...counts,
  phases: z.record(z.string(), z.object({ ...counts, ...latencies })),
  targets: z.record(z.string(), z.object({ ...counts, ...latencies })),
  kinds: z.record(z.string(), z.object({ ...counts, ...latencies })),
  writes,
  uploads: z.object({ sent: z.int(), failed: z.int(), bytes: z.int(), over_switch: z.int() }),
  /** How late the prober itself was at worst; its own figures are no better than that. */
  worst_lag_ms: z.number(),
  slowest: z.array(slow),
  failures: z.array(failure),
  /** Beyond those that are listed. */
  more_failures: z.int(),
});
export type ProbeSummary = z.output<typeof summary>;

export const probeEvent = z.discriminatedUnion('event', [
  z.object({ event: z.literal('started'), run: z.string(), targets: z.record(z.string(), z.string()) }),
  z.object({
    event: z.literal('window'),
    at_ms: z.number(),
    phase: z.string(),
    lag_ms: z.number(),
    targets: z.record(z.string(), z.object({ ...counts, in_flight: z.int(), ...latencies })),
    /** Side by side only: the pairs that were completed. */
    pairs: z.array(pair),
  }),
  z.object({ event: z.literal('failure'), ...failure.shape }),
  z.object({
    event: z.literal('memory'),
    at_ms: z.number(),
    target: z.string(),
    instance: z.string(),
    version: z.string(),
    requests: z.int(),
    live_bytes: z.int(),
    rss_bytes: z.int(),
  }),
  z.object({ event: z.literal('mark'), at_ms: z.number(), phase: z.string() }),
  z.object({ event: z.literal('summary'), ...summary.shape }),
]);
export type ProbeEvent = z.output<typeof probeEvent>;

/** A line that the prober reads from its standard input. */
export const probeOrder = z.union([
  z.strictObject({ token: z.string().min(1) }),
  /** From now on everything counts to this phase. */
  z.strictObject({ mark: z.string().min(1) }),
  z.strictObject({ stop: z.literal(true) }),
]);
export type ProbeOrder = z.output<typeof probeOrder>;

/** The phase of everything before the first mark. */
export const FIRST_PHASE = 'before';

/** By how much the worst later phase was slower than the first one; null when one of them has no figures. */
export function addedP99({ phases }: Pick<ProbeSummary, 'phases'>): number | null {
  const before = phases[FIRST_PHASE]?.p99_ms ?? null;
  const later = Object.entries(phases).flatMap(([phase, { p99_ms }]) =>
    phase === FIRST_PHASE || p99_ms === null ? [] : [p99_ms],
  );
  return before === null || later.length === 0 ? null : Math.max(...later) - before;
}
