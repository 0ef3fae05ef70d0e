import type { JourneyRun } from '../evidence.ts';
import type { GateLimits } from '../gate-limits.ts';
import type { Reason, Verdict } from '../judgement.ts';

/** Whether everything that people do still works: each step on the new version, beside the old one. */
export function judgeJourneys(runs: readonly JourneyRun[], limits: GateLimits): Reason {
  const fresh = runs.filter(({ side }) => side === 'new');
  const old = runs.filter(({ side }) => side === 'old');
  const failed = fresh.flatMap(({ failure }) => (failure ? [failure] : []));
  const reason = (verdict: Verdict, words: string): Reason => ({
    check: 'journeys',
    verdict,
    words,
    figures: {
      runs_new: fresh.length,
      failed_new: failed.length,
      runs_old: old.length,
      failed_old: old.filter(({ failure }) => failure).length,
    },
  });
  const last = failed.at(-1);
  if (last) {
    const words = `${failed.length} of ${fresh.length} journeys failed on the new version, the last one at "${last.step}": ${last.words}`;
    if (old.at(-1)?.failure) {
      return reason(
        'inconclusive',
        `${words}; the old version fails, too, so nothing can be said of the new one`,
      );
    }
    if (failed.length >= limits.journeyFailures) return reason('fail', words);
    const since = fresh.length - 1 - fresh.findLastIndex(({ failure }) => failure !== null);
    return since > limits.journeySuccesses ? reason('pass', words) : reason('inconclusive', words);
  }
  return fresh.length >= limits.journeySuccesses
    ? reason('pass', `${fresh.length} journeys went as they should on the new version`)
    : reason('inconclusive', `${fresh.length} journeys so far, ${limits.journeySuccesses} are needed`);
}
