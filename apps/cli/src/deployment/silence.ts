/** What a contender has seen of a lease that somebody else holds. */
export interface Silence {
  readonly version: number;
  readonly seenAt: number;
  /** For how long the record was watched without a change, in milliseconds of the contender's own clock. */
  readonly lasting: number;
  /** Somebody has written since the first look. */
  readonly broken: boolean;
}

interface Look {
  readonly version: number;
  readonly now: number;
  /** Between two looks that are further apart nobody knows what happened: a store without a leader answers no one. */
  readonly longestGap: number;
}

/** What is known after one more look; a gap in the watching starts the count anew. */
export function watched(before: Silence | undefined, { version, now, longestGap }: Look): Silence {
  if (!before) return { version, seenAt: now, lasting: 0, broken: false };
  const changed = version !== before.version;
  const gap = now - before.seenAt;
  return {
    version,
    seenAt: now,
    lasting: changed || gap > longestGap ? 0 : before.lasting + gap,
    broken: before.broken || changed,
  };
}
