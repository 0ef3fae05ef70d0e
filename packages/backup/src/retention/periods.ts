import type { RetentionPolicy } from './policy.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** The week after ISO 8601, as `2026-W53`: it begins on Monday, and belongs to the year of its Thursday. */
export function isoWeek(time: Date): string {
  const sinceMonday = (time.getUTCDay() + 6) % 7;
  const thursday = new Date(time.getTime() + (3 - sinceMonday) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = 1 + Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / (7 * DAY_MS));
  return `${year}-W${String(week).padStart(2, '0')}`;
}

export interface Period {
  readonly rule: keyof Pick<RetentionPolicy, 'daily' | 'weekly' | 'monthly' | 'yearly'>;
  readonly word: string;
  /** Names the period that a time is in. */
  readonly of: (time: Date) => string;
}

/** All in UTC: a backup is in the same day whoever looks at it from wherever. */
export const PERIODS: readonly Period[] = [
  { rule: 'daily', word: 'day', of: (time) => time.toISOString().slice(0, 10) },
  { rule: 'weekly', word: 'week', of: isoWeek },
  { rule: 'monthly', word: 'month', of: (time) => time.toISOString().slice(0, 7) },
  { rule: 'yearly', word: 'year', of: (time) => time.toISOString().slice(0, 4) },
];
