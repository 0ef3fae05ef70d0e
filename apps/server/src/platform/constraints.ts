import pg from 'pg';
import type { Problem } from './problem.ts';

/**
 * Runs the work and translates a violated database constraint into the Problem it stands for. The database is the only
 * judge of uniqueness and references, so that two requests at the same time cannot both pass a check.
 */
export async function translateConstraints<Result>(
  problems: Readonly<Record<string, () => Problem | Promise<Problem>>>,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const problem = error instanceof pg.DatabaseError && error.constraint && problems[error.constraint];
    throw problem ? await problem() : error;
  }
}

/** A foreign key without an action, and one with ON DELETE RESTRICT. */
const STILL_REFERENCED: ReadonlySet<string | undefined> = new Set(['23503', '23001']);

/** Runs a delete. When the database refuses it because other records refer to the row, `problem` says which. */
export async function translateStillReferenced<Result>(
  problem: () => Promise<Problem>,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof pg.DatabaseError && STILL_REFERENCED.has(error.code) ? await problem() : error;
  }
}
