import pg from 'pg';
import type { Queryable } from './ledger.ts';
import { ORIGIN, PREDECESSOR_LEDGER, readLedger, tableExists } from './ledger.ts';
import { type Migration, readMigrations } from './migration-files.ts';
import { breakingFor, lackingOf } from './migration-fit.ts';
import { migrationLabel } from './migration-phases.ts';
import { DatabaseRefusal } from './refusal.ts';

/** Read once: they are part of this code, and readiness asks several times a second. */
let ofThisCode: Promise<readonly Migration[]> | undefined;

/**
 * Throws unless this code can run on the schema as it is: every migration that it knows is applied, but for contract
 * ones, before which it runs as well as after them; and none that it does not know is marked as breaking. Newer ones
 * that are not are fine: that is what lets two versions run at once.
 */
export async function assertSchemaFits(
  database: string | Queryable,
  migrations?: readonly Migration[],
): Promise<void> {
  ofThisCode ??= readMigrations();
  const known = migrations ?? (await ofThisCode);
  if (typeof database !== 'string') return assertFits(database, known);
  const client = new pg.Client({ connectionString: database, application_name: 'calculaud db' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await assertFits(client, known);
  } finally {
    await client.end();
  }
}

async function assertFits(client: Queryable, known: readonly Migration[]): Promise<void> {
  if (await tableExists(client, PREDECESSOR_LEDGER)) {
    throw new DatabaseRefusal(
      'This database belongs to the predecessor, or its takeover is not finished.',
      'Take it over with `calculaud db takeover`; it says first what it would do.',
    );
  }
  const applied = (await readLedger(client)) ?? [];
  const missing = lackingOf(applied, known);
  if (missing.length > 0 || applied.every(({ number }) => number !== ORIGIN)) {
    throw new DatabaseRefusal(
      missing.length > 0
        ? `The database schema is older than this version needs; not applied: ${missing.map(migrationLabel).join(', ')}.`
        : 'The database has its tables, but not yet its reference data.',
      'Run `calculaud db migrate`.',
    );
  }
  const breaking = breakingFor(applied, known);
  if (breaking.length > 0) {
    throw new DatabaseRefusal(
      `The database schema is too new for this version, which cannot run on: ${breaking.map(migrationLabel).join(', ')}.`,
      `Start version ${breaking.at(-1)?.app_version ?? 'that applied it'} or a newer one.`,
    );
  }
}
