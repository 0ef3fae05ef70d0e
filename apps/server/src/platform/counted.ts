/**
 * Counts as a sentence names them: `{ purpose: 3, 'predefined flow': 1, service: 0 }` is "3 purposes and 1 predefined
 * flow". When nothing counts (any more), "other records".
 */
export function counted(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([noun, count]) => `${count} ${noun}${count === 1 ? '' : 's'}`);
  return parts.join(' and ') || 'other records';
}
