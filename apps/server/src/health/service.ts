import { assertSchemaFits } from '@calculaud/db/schema-fit';
import type { Lifecycle } from '../platform/lifecycle.ts';
import type { Services } from '../platform/services.ts';
import { ping } from './queries.ts';

export type CheckState = 'pass' | 'warn' | 'fail';

export interface Check {
  readonly status: CheckState;
  readonly observedValue: number;
  readonly observedUnit: 'ms';
  readonly time: string;
  /** For the operator only; names no secret. */
  readonly output?: string;
}

/** What answers later than this might as well not answer. The gateway waits 2 s for what it asks about our health. */
export const HEALTH_LIMIT_MS = 1500;
/** Less than that: it must not make the answer late. */
const STORAGE_LIMIT_MS = 1000;

export async function checkDatabase({ db }: Pick<Services, 'db'>): Promise<Check> {
  return timed('fail', () => withinLimit(ping(db), HEALTH_LIMIT_MS));
}

/** Without the store no file moves, but everything else works. */
export async function checkStorage({ storage }: Pick<Services, 'storage'>): Promise<Check> {
  return timed('warn', () => withinLimit(storage.check(), STORAGE_LIMIT_MS));
}

/** A schema that this code cannot run on; looked at anew each time, as a migration may have come since the start. */
export async function checkSchema({ db }: Pick<Services, 'db'>): Promise<Check> {
  return timed('fail', () => withinLimit(assertSchemaFits(db.pool), HEALTH_LIMIT_MS));
}

/** Whether traffic should come here: started, not draining, database and schema fine (decision 2). */
export async function readiness(services: Services, lifecycle: Lifecycle) {
  const [database, schema, storage] = await Promise.all([
    checkDatabase(services),
    checkSchema(services),
    checkStorage(services),
  ]);
  const serving = lifecycle.started && !lifecycle.draining;
  const ready = serving && database.status === 'pass' && schema.status === 'pass';
  return {
    ready,
    status: ready ? (storage.status === 'pass' ? 'pass' : 'warn') : 'fail',
    draining: lifecycle.draining,
    checks: {
      'postgresql:responseTime': [database],
      'schema:version': [schema],
      'storage:availability': [storage],
    },
  };
}

async function timed(whenBroken: CheckState, check: () => Promise<void>): Promise<Check> {
  const time = new Date().toISOString();
  const begin = performance.now();
  const observed = () => ({
    observedValue: Math.round(performance.now() - begin),
    observedUnit: 'ms' as const,
    time,
  });
  try {
    await check();
    return { status: 'pass', ...observed() };
  } catch (error) {
    return {
      status: whenBroken,
      ...observed(),
      output: error instanceof Error ? error.message : String(error),
    };
  }
}

async function withinLimit(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
