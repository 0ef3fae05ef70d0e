/** `inconclusive` means: hold, and look again when more is known. */
export type Verdict = 'pass' | 'fail' | 'inconclusive';

/** One thing that was looked at, in words for people and in figures for programs. */
export interface Reason {
  readonly check: 'replicas' | 'errors' | 'latency' | 'memory' | 'journeys' | 'gateway';
  readonly verdict: Verdict;
  readonly words: string;
  readonly figures: Readonly<Record<string, number>>;
}

export interface Judgement {
  readonly verdict: Verdict;
  readonly reasons: readonly Reason[];
}

/** One failure is enough; nothing passes while something is open. */
export function together(reasons: readonly Reason[]): Judgement {
  const has = (verdict: Verdict) => reasons.some((reason) => reason.verdict === verdict);
  return { verdict: has('fail') ? 'fail' : has('inconclusive') ? 'inconclusive' : 'pass', reasons };
}
