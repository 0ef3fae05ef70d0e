import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { makeFolder, writeDurably } from '../postgres/durable-file.ts';

/** What runs by itself, in the order in which it is begun when several are due. */
export const TASKS = ['base', 'export', 'verification', 'drill', 'prune'] as const;
export type Task = (typeof TASKS)[number];

const time = z.iso.datetime().nullable();
const count = z.int().min(0);

const lastRun = z.strictObject({
  /** Of the last one that came to its end well. */
  succeeded: z.strictObject({ startedAt: z.iso.datetime(), endedAt: z.iso.datetime() }).nullable(),
  /** Of the last one that ended well or was cut off at its limit. */
  durationMs: count.nullable(),
  /** When the last one ended, however. */
  endedAt: time,
  /** Runs in a row that did not end well. */
  failures: count,
  /** Set while it runs: who finds it at the start knows that it was killed. */
  runningSince: time,
});
export type LastRun = z.output<typeof lastRun>;

const lastRuns = z.strictObject({
  format: z.literal(1),
  /** When the schedule began: what never ran is due some time after it. */
  since: z.iso.datetime(),
  tasks: z.partialRecord(z.enum(TASKS), lastRun),
});
export type LastRuns = ReadonlyMap<Task, LastRun>;

export const NEVER_RAN: LastRun = {
  succeeded: null,
  durationMs: null,
  endedAt: null,
  failures: 0,
  runningSince: null,
};

/**
 * What the file says; nothing when there is none. It is the schedule's own: that of the database is gone with the database. A
 * damaged one is as good as none, because everything runs once more then, and is told.
 */
export async function readLastRuns(path: string): Promise<{
  readonly runs: LastRuns;
  readonly since: Date | undefined;
  readonly damaged: string | undefined;
}> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      return { runs: new Map(), since: undefined, damaged: undefined };
    }
    return { runs: new Map(), since: undefined, damaged: toldAs(path, error) };
  }
  try {
    const { since, tasks } = lastRuns.parse(JSON.parse(text));
    const found = new Map<Task, LastRun>();
    for (const task of TASKS) {
      const run = tasks[task];
      if (run) found.set(task, run);
    }
    return { runs: found, since: new Date(since), damaged: undefined };
  } catch (error) {
    return { runs: new Map(), since: undefined, damaged: toldAs(path, error) };
  }
}

/** Complete or not at all. */
export async function writeLastRuns(path: string, runs: LastRuns, since: Date): Promise<void> {
  const content = `${JSON.stringify({ format: 1, since, tasks: Object.fromEntries(runs) }, null, 2)}\n`;
  await makeFolder(dirname(path));
  await writeDurably(dirname(path), basename(path), Buffer.from(content));
}

function toldAs(path: string, error: unknown): string {
  const why = error instanceof z.ZodError ? 'it has another shape' : String(error);
  return `${path}, which says when backups and drills ran last, cannot be used (${why}). All of them run once more, and the file is written anew.`;
}
