import pg from 'pg';
import type { Queryable } from './ledger.ts';
import { ORIGIN, PREDECESSOR_LEDGER, readLedger, tableExists } from './ledger.ts';
import type { MigrationName } from './migration-files.ts';
import { migrationNames } from './migration-files.ts';
import { DatabaseRefusal } from './refusal.ts';

/**
 * Throws unless this code can run on the schema as it is: every migration that it knows is applied, and none that
 * it does not know is marked as breaking. Newer ones that are not are fine: that is what lets two versions run at once.
 */
export async function assertSchemaFits(database: string | Queryable): Promise<void> {
  if (typeof database !== 'string') return assertFits(database, await migrationNames());
  const client = new pg.Client({ connectionString: database, application_name: 'calculaud db' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await assertFits(client, await migrationNames());
  } finally {
    await client.end();
  }
}

async function assertFits(client: Queryable, known: readonly MigrationName[]): Promise<void> {
  if (await tableExists(client, PREDECESSOR_LEDGER)) {
    throw new DatabaseRefusal(
      'This database belongs to the predecessor, or its takeover is not finished.',
      'Take it over with `calculaud db takeover`; it says first what it would do.',
    );
  }
  const applied = (await readLedger(client)) ?? [];
  const numbers = new Set(applied.map((row) => row.number));
  const missing = known.filter(({ number }) => !numbers.has(number));
  if (missing.length > 0 || !numbers.has(ORIGIN)) {
    throw new DatabaseRefusal(
      missing.length > 0
        ? `The database schema is older than this version needs; not applied: ${missing.map(labelled).join(', ')}.`
        : 'The database has its tables, but not yet its reference data.',
      'Run `calculaud db migrate`.',
    );
  }
  const ours = new Set(known.map(({ number }) => number));
  const breaking = applied.filter((row) => row.number !== ORIGIN && row.breaking && !ours.has(row.number));
  if (breaking.length > 0) {
    throw new DatabaseRefusal(
      `The database schema is too new for this version, which cannot run on: ${breaking.map(labelled).join(', ')}.`,
      `Start version ${breaking.at(-1)?.app_version ?? 'that applied it'} or a newer one.`,
    );
  }
}

function labelled({ number, name }: MigrationName): string {
  return `${String(number).padStart(4, '0')}_${name}`;
}
