/** Where the gates draw their lines. One object, so that a test or an environment can draw others. */
export interface GateLimits {
  /** A version that fails less often than this is not withdrawn for it. */
  readonly errorRate: number;
  /** "Passed" says that failures are rarer than this. */
  readonly provenErrorRate: number;
  /** How unlikely chance has to be as the explanation of failures: against the limit, and against the other side. */
  readonly errorChance: number;
  readonly errorChanceAgainstOld: number;
  readonly errorChanceOnBadDay: number;
  /** The new version may take this many times as long as the old one. */
  readonly slowdown: number;
  /** Added to both times: what only differs by parts of it does not differ. */
  readonly slowdownFloorMs: number;
  readonly slowdownChance: number;
  /** As likely as this, a kind of request that looks slower is looked at longer. */
  readonly slowdownSuspicion: number;
  readonly leastPairs: number;
  /** Nobody is called slow in a shorter time: what has just started still gets faster. */
  readonly slowForMs: number;
  /** Of one kind of request, where it is judged by itself. */
  readonly leastPairsOfKind: number;
  /** So many of the last pairs count: the first ones met a version that was still cold. */
  readonly lastPairs: number;
  /** What the new version may keep of each request more than the old one does. */
  readonly leakBytesPerRequest: number;
  /** Growth below this is the breathing of any process. */
  readonly leakLeastBytes: number;
  readonly leakLeastRequests: number;
  readonly leakLeastReadings: number;
  readonly journeyFailures: number;
  readonly journeySuccesses: number;
  /** The gateway's mean time of the new version may be so many times that of the old one, plus the milliseconds. */
  readonly gatewaySlowdown: number;
  readonly gatewaySlowdownMs: number;
  readonly gatewayLeastAnswers: number;
  /** Requests that wait at the gateway for so many readings in a row have found a version that cannot keep up. */
  readonly queuedReadings: number;
}

export const gateLimits: GateLimits = {
  errorRate: 0.01,
  provenErrorRate: 0.02,
  errorChance: 1e-3,
  errorChanceAgainstOld: 0.01,
  errorChanceOnBadDay: 1e-6,
  slowdown: 1.4,
  slowdownFloorMs: 1,
  slowdownChance: 1e-4,
  slowdownSuspicion: 0.05,
  leastPairs: 40,
  slowForMs: 8000,
  leastPairsOfKind: 20,
  lastPairs: 400,
  leakBytesPerRequest: 10_000,
  leakLeastBytes: 5_000_000,
  leakLeastRequests: 300,
  leakLeastReadings: 6,
  journeyFailures: 2,
  journeySuccesses: 2,
  gatewaySlowdown: 2,
  gatewaySlowdownMs: 50,
  gatewayLeastAnswers: 300,
  queuedReadings: 10,
};
