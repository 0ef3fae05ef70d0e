/**
 * What journey and prober write into the system carries their mark, so that people know it for what it is, and whatever
 * a killed one left behind is found and removed by the next.
 */
export type Maker = 'journey' | 'probe';

export function markOf(maker: Maker, run: string, detail = ''): string {
  return `[calculaud ${maker} ${run}]${detail} made by a check of the system; it is removed by itself`;
}

/** All that every mark begins with, to search for. */
export const MARK = '[calculaud ';

/**
 * A word that only the few purposes hold which a prober looks at all the time. Searching for what stands in everything that
 * it writes would find more and more: at 200 requests a second 24,000 purposes after 20 minutes.
 */
export function rareWord(run: string): string {
  return [...run].toReversed().join('');
}

export function isMarked(description: string | null): boolean {
  return description !== null && /^\[calculaud (?:journey|probe) [\w-]+\]/.test(description);
}
