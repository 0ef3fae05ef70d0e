import type pg from 'pg';
import { writeLedger } from './ledger.ts';
import type { Migration } from './migration-files.ts';
import { inTransaction } from './migration-session.ts';

/** Applies one migration, in a transaction of its own unless it asks for none, and records it. Takes so many ms. */
export async function applyMigration(
  client: pg.Client,
  migration: Migration,
  appVersion: string | null,
): Promise<number> {
  const start = performance.now();
  if (!migration.outsideTransaction) {
    return inTransaction(client, async () => {
      await client.query(migration.sql);
      return record(client, migration, appVersion, start);
    });
  }
  for (const statement of statementsOf(migration)) await runAlone(client, statement);
  return record(client, migration, appVersion, start);
}

/**
 * What is built concurrently waits for every transaction that is older than it, while nobody waits for it: it may take
 * its time.
 */
const CONCURRENT_LOCK_TIMEOUT = '60s';

async function runAlone(client: pg.Client, statement: string): Promise<void> {
  if (!/\bconcurrently\b/i.test(statement)) {
    await client.query(statement);
    return;
  }
  const { rows } = await client.query<{ usual: string }>(`select current_setting('lock_timeout') as usual`);
  await client.query(`select set_config('lock_timeout', $1, false)`, [CONCURRENT_LOCK_TIMEOUT]);
  try {
    await client.query(statement);
  } finally {
    // A connection that is gone has no settings left.
    await client
      .query(`select set_config('lock_timeout', $1, false)`, [rows[0]?.usual])
      .catch(() => undefined);
  }
}

/**
 * Applies one migration within the caller's transaction, in which nobody else sees the tables: an index need not be
 * built beside their work.
 */
export async function applyWithinTransaction(
  client: pg.Client,
  migration: Migration,
  appVersion: string | null,
): Promise<number> {
  const start = performance.now();
  const statements = migration.outsideTransaction
    ? statementsOf(migration).map((statement) => statement.replaceAll(/\bconcurrently\b/gi, ''))
    : [migration.sql];
  try {
    for (const statement of statements) await client.query(statement);
  } catch (error) {
    throw migrationFailure(migration, error);
  }
  return record(client, migration, appVersion, start);
}

export function migrationFailure(migration: Migration, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(`The migration ${migration.file} failed: ${reason}`, { cause: error });
}

async function record(
  client: pg.Client,
  { number, name, checksum, breaking }: Migration,
  appVersion: string | null,
  start: number,
): Promise<number> {
  const duration_ms = Math.round(performance.now() - start);
  await writeLedger(client, { number, name, checksum, duration_ms, breaking, app_version: appVersion });
  return duration_ms;
}

/** Statements end with a semicolon at the end of a line; bodies of functions have no place in such a file. */
function statementsOf(migration: Migration): string[] {
  if (migration.sql.includes('$$')) {
    throw new Error(`${migration.file} runs outside a transaction and may not define functions.`);
  }
  return migration.sql
    .replaceAll(/^\s*--.*$/gm, '')
    .split(/;\s*$/m)
    .filter((statement) => statement.trim() !== '');
}
