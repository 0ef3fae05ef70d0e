import { randomBytes } from 'node:crypto';

/** Sorts by time, and two of the same second differ. */
export function newPlanId(now: Date): string {
  const time = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  return `${time}-${randomBytes(2).toString('hex')}`;
}
