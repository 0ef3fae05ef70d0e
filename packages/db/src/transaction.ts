import { setTimeout as pause } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import { sql } from 'kysely';
import pg from 'pg';
import type { Executor } from './database.ts';
import type { Tables } from './generated/tables.ts';
import { isStalePlan } from './prepared.ts';

/** Who acts, and in which request: triggers write both into the rows and the audit trail. */
export interface Actor {
  readonly principalId: number | null;
  readonly requestId: string | null;
}

const ATTEMPTS = 4;
/** Before the second attempt; the pauses after that are longer. Random, so that those in conflict part. */
const PAUSE_MS = { least: 20, most: 100 };
const SERIALIZATION_FAILURE = '40001';
const DEADLOCK = '40P01';

/**
 * Runs the work in one transaction (READ COMMITTED). When the database gave up because of others (serialization
 * failure, deadlock) the whole work runs again, up to three times: it must have no effect outside the transaction.
 * Inside a transaction that is open already the work joins that.
 */
export async function transaction<Result>(
  db: Executor,
  actor: Actor,
  work: (transaction: Transaction<Tables>) => Promise<Result>,
): Promise<Result> {
  if (isTransaction(db)) return work(db);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.transaction().execute(async (tx) => {
        await sql`/* transaction actor */ select
          set_config('calculaud.principal_id', ${actor.principalId?.toString() ?? ''}, true),
          set_config('calculaud.request_id', ${actor.requestId ?? ''}, true)`.execute(tx);
        return work(tx);
      });
    } catch (error) {
      if (attempt === ATTEMPTS || !mayPassNextTime(error)) throw error;
      await pause(attempt * (PAUSE_MS.least + Math.random() * (PAUSE_MS.most - PAUSE_MS.least)));
    }
  }
}

function isTransaction(db: Executor): db is Transaction<Tables> {
  return db.isTransaction;
}

function mayPassNextTime(error: unknown): boolean {
  if (isStalePlan(error)) return true;
  return (
    error instanceof pg.DatabaseError && (error.code === SERIALIZATION_FAILURE || error.code === DEADLOCK)
  );
}
