import type { Pair } from '../evidence.ts';
import type { GateLimits } from '../gate-limits.ts';
import { grouped } from '../grouped.ts';
import type { Reason, Verdict } from '../judgement.ts';
import { median, signedRankTail } from '../statistics.ts';

/**
 * Whether the new version takes clearly longer: pairs of answers to the same request are compared, so that neither the
 * hour nor the kind of request plays a part, by their ranks, so that a few slow ones play none. It fails when the ratio
 * lies above the limit beyond doubt, passes when it lies below beyond doubt.
 */
export function judgeLatency(pairs: readonly Pair[], limits: GateLimits): Reason {
  const answered = pairs.filter((pair) => pair.old.ok && pair.new.ok).slice(-limits.lastPairs);
  const ratios = answered.map((pair) => logRatio(pair, limits));
  const ratio = Math.exp(median(ratios));
  const reason = (verdict: Verdict, words: string): Reason => ({
    check: 'latency',
    verdict,
    words,
    figures: {
      pairs: answered.length,
      median_old_ms: median(answered.map((pair) => pair.old.ms)),
      median_new_ms: median(answered.map((pair) => pair.new.ms)),
      ratio,
    },
  });
  if (answered.length < limits.leastPairs) {
    return reason(
      'inconclusive',
      `only ${answered.length} pairs of answers so far, ${limits.leastPairs} are needed`,
    );
  }
  const kinds = [...grouped(answered, (pair) => pair.kind)].filter(
    ([, ofKind]) => ofKind.length >= limits.leastPairsOfKind,
  );
  // Every kind is one more chance to be unlucky.
  const chance = limits.slowdownChance / (kinds.length + 1);
  for (const [kind, ofKind] of [['all', answered] as const, ...kinds]) {
    const own = ofKind.map((pair) => logRatio(pair, limits));
    if (spanOf(ofKind) >= limits.slowForMs && isSlower(own, limits, chance)) {
      const times = Math.exp(median(own)).toFixed(1);
      return reason(
        'fail',
        `the new version takes ${times} times as long as the old one for ${kind === 'all' ? 'all requests' : `requests of the kind ${kind}`}`,
      );
    }
  }
  const suspect = kinds.find(([, ofKind]) => {
    const above = ofKind.map((pair) => logRatio(pair, limits) - margin(limits));
    return signedRankTail(above) < limits.slowdownSuspicion;
  });
  const words = `the new version takes ${ratio.toFixed(2)} times as long as the old one`;
  if (suspect)
    return reason(
      'inconclusive',
      `${words}, but clearly longer for the kind ${suspect[0]}, perhaps by chance`,
    );
  const isFaster = signedRankTail(ratios.map((value) => margin(limits) - value)) < 0.01;
  return isFaster ? reason('pass', words) : reason('inconclusive', `${words}, perhaps by chance`);
}

/** Beyond the margin by the ranks, and all the time: a burst that hit one side is no property of the version. */
function isSlower(ratios: readonly number[], limits: GateLimits, chance: number): boolean {
  if (signedRankTail(ratios.map((value) => value - margin(limits))) >= chance) return false;
  const third = Math.ceil(ratios.length / 3);
  return [0, 1, 2].every((part) => median(ratios.slice(part * third, (part + 1) * third)) > margin(limits));
}

function spanOf(pairs: readonly Pair[]): number {
  return (pairs.at(-1)?.at ?? 0) - (pairs[0]?.at ?? 0);
}

function margin(limits: GateLimits): number {
  return Math.log(limits.slowdown);
}

function logRatio(pair: Pair, { slowdownFloorMs }: GateLimits): number {
  return Math.log((pair.new.ms + slowdownFloorMs) / (pair.old.ms + slowdownFloorMs));
}
