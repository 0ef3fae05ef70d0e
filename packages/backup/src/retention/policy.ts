import { z } from 'zod';

const count = z.int().min(0).max(1000);

/** How long backups stay. An organisation that must keep records of procurement longer sets more. */
export const retentionPolicy = z.strictObject({
  /** Every second of so many days can be restored. */
  pointInTimeDays: z.int().min(1).max(3660).default(14),
  /** Of so many days, ISO weeks, months and years (UTC) that have a verified backup, the newest one stays. */
  daily: count.default(14),
  weekly: count.default(8),
  monthly: count.default(12),
  yearly: count.default(7),
});
export type RetentionPolicy = z.output<typeof retentionPolicy>;

export const defaultPolicy: RetentionPolicy = retentionPolicy.parse({});
