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

export function isMarked(description: string | null): boolean {
  return description !== null && /^\[calculaud (?:journey|probe) [\w-]+\]/.test(description);
}
