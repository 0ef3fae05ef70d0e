import { createHash } from 'node:crypto';
import { type LastRun, type LastRuns, NEVER_RAN, type Task } from './last-runs.ts';

const [MINUTE_MS, HOUR_MS] = [60_000, 3_600_000];
const DAY_MS = 24 * HOUR_MS;

export type Intervals = Readonly<Record<Task, number>>;

/** A backup counts once it was verified, so both go together; a drill is a week's work for nobody, and never later. */
export const defaultIntervals: Intervals = {
  base: DAY_MS,
  export: DAY_MS,
  verification: DAY_MS,
  drill: 7 * DAY_MS,
  prune: DAY_MS,
};

/** What has to have been there once, before this one has anything to do. */
const NEEDS: Readonly<Partial<Record<Task, Task>>> = {
  verification: 'base',
  drill: 'base',
  prune: 'verification',
};

const FIRST_RETRY_MS = 5 * MINUTE_MS;
const SHORTEST_LIMIT_MS = 10 * MINUTE_MS;
const LIMIT_FACTOR = 4;
/** An hour of a day: so much earlier it may begin, so that hosts with one store do not all begin at once. */
const JITTER_SHARE = 24;
/** An hour of a day, too: what fails again and again is tried as often. */
const LONGEST_RETRY_SHARE = 24;

/** So long after the first start, whose minutes belong to whoever looks at the system for the first time. */
const FIRST_AFTER_MS: Readonly<Record<Task, number>> = {
  base: 0,
  export: 10 * MINUTE_MS,
  verification: 5 * MINUTE_MS,
  drill: HOUR_MS,
  prune: 0,
};

export interface DueOptions {
  readonly now: Date;
  /** When the schedule began. */
  readonly since: Date;
  readonly intervals: Intervals;
  /** Of this installation: makes its jitter, which is the same each time one asks. */
  readonly seed: string;
}

/**
 * When a task is to begin; in the past or now means at once, undefined means when something else has run. However long the
 * machine was off, it is due once: the next time counts from the run that makes up for it.
 */
export function dueAt(
  task: Task,
  runs: LastRuns,
  { now, since, intervals, seed }: DueOptions,
): Date | undefined {
  const run = runs.get(task) ?? NEVER_RAN;
  const needs = NEEDS[task];
  if (needs && !runs.get(needs)?.succeeded) return undefined;
  if (run.failures > 0 && run.endedAt !== null) {
    const wait = Math.min(FIRST_RETRY_MS * 2 ** (run.failures - 1), intervals[task] / LONGEST_RETRY_SHARE);
    return notAfter(new Date(run.endedAt), now, wait);
  }
  if (!run.succeeded) return notAfter(since, now, FIRST_AFTER_MS[task]);
  const interval = intervals[task];
  const jitter = (jitterOf(`${seed} ${task} ${run.succeeded.startedAt}`) * interval) / JITTER_SHARE;
  return notAfter(new Date(run.succeeded.startedAt), now, interval - jitter);
}

/** How long a run may take before it is ended. One that was cut off at its limit has four times as long the next time. */
export function limitOf({ durationMs }: Pick<LastRun, 'durationMs'>): number {
  return Math.max(SHORTEST_LIMIT_MS, LIMIT_FACTOR * (durationMs ?? 0));
}

/** A time in the future says that the clock was moved back: nobody knows how long ago it was, so it is due. */
function notAfter(since: Date, now: Date, wait: number): Date {
  return since > now ? now : new Date(since.getTime() + wait);
}

/** From 0 to 1, evenly. */
function jitterOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 0x1_0000_0000;
}
