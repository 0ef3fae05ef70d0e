import type { Pair } from '../evidence.ts';
import type { GateLimits } from '../gate-limits.ts';
import { grouped } from '../grouped.ts';
import type { Reason, Verdict } from '../judgement.ts';
import { binomialTail, type Failures, fisherTail } from '../statistics.ts';

/** Whether the new version fails where the old one does not, at all or for one kind of request. */
export function judgeErrors(pairs: readonly Pair[], limits: GateLimits): Reason {
  const [old, fresh] = [failuresOf(pairs, 'old'), failuresOf(pairs, 'new')];
  const figures = { requests: fresh.of, failed_new: fresh.failed, failed_old: old.failed };
  const reason = (verdict: Verdict, words: string): Reason => ({ check: 'errors', verdict, words, figures });

  const kinds = grouped(pairs, (pair) => pair.kind);
  // Every kind is one more chance to be unlucky.
  const careful = { ...limits, errorChanceAgainstOld: limits.errorChanceAgainstOld / kinds.size };
  for (const [kind, ofKind] of kinds) {
    const [oldKind, newKind] = [failuresOf(ofKind, 'old'), failuresOf(ofKind, 'new')];
    if (failsMore(newKind, oldKind, careful)) {
      return reason(
        'fail',
        `${newKind.failed} of ${newKind.of} requests of the kind ${kind} failed on the new version ` +
          `(${problemsOf(ofKind)}), ${oldKind.failed} on the old one`,
      );
    }
  }
  const words =
    `${fresh.failed} of ${fresh.of} requests failed on the new version` +
    `${fresh.failed > 0 ? ` (${problemsOf(pairs)})` : ''}, ${old.failed} on the old one`;
  if (failsMore(fresh, old, limits)) return reason('fail', words);
  if (tooMany(fresh, limits)) {
    return reason(
      'inconclusive',
      `${words}: the old version fails, too, so nothing can be said of the new one`,
    );
  }
  // Had it failed as often as the limit of the proof, so few failures would have been luck.
  const lucky = 1 - binomialTail(fresh.failed + 1, fresh.of, limits.provenErrorRate);
  return lucky < 0.05 ? reason('pass', words) : reason('inconclusive', `${words}: too few to be sure`);
}

/**
 * More often than is tolerable, and more often than the other side: then it is the version, and not the day. On a day on
 * which the old version fails, too, the difference has to be beyond doubt.
 */
export function failsMore(fresh: Failures, old: Failures, limits: GateLimits): boolean {
  const chance = tooMany(old, limits) ? limits.errorChanceOnBadDay : limits.errorChanceAgainstOld;
  if (!tooMany(fresh, limits)) return false;
  // Who never ran cannot be compared with.
  return old.of === 0 || fisherTail(fresh, old) < chance;
}

export function tooMany({ failed, of }: Failures, limits: GateLimits): boolean {
  return binomialTail(failed, of, limits.errorRate) < limits.errorChance;
}

export function failuresOf(pairs: readonly Pair[], side: 'old' | 'new'): Failures {
  return { failed: pairs.filter((pair) => !pair[side].ok).length, of: pairs.length };
}

function problemsOf(pairs: readonly Pair[]): string {
  const problems = pairs.flatMap((pair) => (pair.new.ok ? [] : [pair.new.problem ?? 'unknown']));
  return [...grouped(problems, (problem) => problem)]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .slice(0, 3)
    .map(([problem, same]) => `${same.length} × ${problem}`)
    .join(', ');
}
