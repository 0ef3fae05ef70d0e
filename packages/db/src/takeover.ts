import pg from 'pg';
import { migrateJobQueue } from './job-queue.ts';
import { createLedger, ORIGIN, PREDECESSOR_LEDGER, writeLedger } from './ledger.ts';
import { applyWithinTransaction } from './migration-apply.ts';
import { type Migration, readMigrations } from './migration-files.ts';
import { aloneOnDatabase, inTransaction, type Log, pause } from './migration-session.ts';
import { DatabaseRefusal } from './refusal.ts';
import { ensureRoles } from './roles.ts';
import { clockNotes, refuseUnknownZone } from './takeover/clock.ts';
import { compareTables, dropOldTables, fillTables, putAside } from './takeover/convert.ts';
import { copyTables } from './takeover/copy.ts';
import { deriveColumns } from './takeover/derive.ts';
import { type Connection, connectionsOfOthers, type Inspection, inspect } from './takeover/inspection.ts';
import { LEDGER_KEPT_AS, TABLE_NAMES } from './takeover/predecessor.ts';
import { findProblems, type Problem } from './takeover/problems.ts';

export interface TakeoverPlan {
  /** The predecessor's revision, as its ledger names it. */
  readonly version: string;
  readonly tables: readonly { readonly table: string; readonly rows: number }[];
  /** Tables that are not the predecessor's, and stay as they are. */
  readonly others: readonly string[];
  /** Rows to repair first. While there are any, nothing is taken over. */
  readonly problems: readonly Problem[];
  /** What a person should know, and need not change. */
  readonly notes: readonly string[];
  /** Who is connected; nobody but the takeover may be when it begins. */
  readonly connections: readonly Connection[];
  readonly steps: readonly string[];
}

export interface TakeoverOptions {
  readonly connectionString: string;
  /** Where the copy of the old tables goes: into a new folder below this one. */
  readonly copyTo: string;
  /** The zone of the clock that the predecessor wrote down its times by. */
  readonly legacyTimeZone?: string;
  /** Go on although others are connected; what they do then waits, or fails. */
  readonly ignoreConnections?: boolean;
  /** How long to wait for those who work on the tables, several times. */
  readonly lockTimeoutMs?: number;
  readonly log?: Log;
  /** The version of the code that takes over. */
  readonly appliedBy?: string;
}

export type TakeoverResult =
  | { readonly outcome: 'findings'; readonly problems: readonly Problem[] }
  | { readonly outcome: 'done'; readonly copy: string; readonly tables: TakeoverPlan['tables'] };

const LOCK_TIMEOUT_MS = 2000;
const LOCK_ATTEMPTS = 5;
const PAUSE_MS = 500;
/** Nobody else works, and a few statements go through everything. */
const SETTINGS = `
  set local lock_timeout = 0;
  set local work_mem = '64MB';
  set local maintenance_work_mem = '256MB';
  set local jit = off`;
const LOCK_NOT_AVAILABLE = '55P03';

/** What `applyTakeover` would do. Changes nothing; refuses a database that is not the predecessor's at its newest revision. */
export async function planTakeover(
  connectionString: string,
  { legacyTimeZone = 'UTC' }: Pick<TakeoverOptions, 'legacyTimeZone'> = {},
): Promise<TakeoverPlan> {
  return aloneOnDatabase(
    { connectionString, log: () => undefined, lockTimeoutMs: LOCK_TIMEOUT_MS },
    (client) =>
      inTransaction(client, async () => {
        await client.query('set transaction isolation level repeatable read, read only');
        await refuseUnknownZone(client, legacyTimeZone);
        const found = await inspect(client);
        const tables = await countRows(client);
        const { others, connections, version } = found;
        return {
          version,
          tables,
          others,
          connections,
          problems: await findProblems(client, found.columns),
          notes: await notesOn(client, found, legacyTimeZone),
          steps: stepsOf(await readMigrations(), tables, legacyTimeZone),
        };
      }),
  );
}

/**
 * Makes the predecessor's database ours, in one transaction: whatever fails, or kills it, leaves the database as it was,
 * and it can be run again. Before anything changes, the rows are examined and copied to files, which are read back.
 */
export async function applyTakeover(options: TakeoverOptions): Promise<TakeoverResult> {
  const { connectionString, copyTo, legacyTimeZone = 'UTC', log = () => undefined } = options;
  const lockTimeoutMs = options.lockTimeoutMs ?? LOCK_TIMEOUT_MS;
  const appVersion = options.appliedBy ?? null;
  const [first, ...later] = await readMigrations();
  if (first === undefined) throw new Error('There are no migrations.');

  return aloneOnDatabase({ connectionString, log, lockTimeoutMs }, async (client) => {
    await refuseUnknownZone(client, legacyTimeZone);
    await inspect(client);
    if (options.ignoreConnections !== true) await refuseConnections(client);

    const result = await inTransactionWithLocks(client, log, async (): Promise<TakeoverResult> => {
      const { version, columns, others } = await inspect(client);
      const problems = await findProblems(client, columns);
      if (problems.length > 0) return { outcome: 'findings', problems };
      const tables = await countRows(client);
      const copied = [...TABLE_NAMES, PREDECESSOR_LEDGER, ...others];
      const copy = await copyTables(client, { into: copyTo, version, tables: copied, log });

      const foreignKeys = await putAside(client);
      await createLedger(client);
      await applyWithinTransaction(client, first, appVersion);
      await fillTables(client, columns, legacyTimeZone, log);
      await compareTables(client, columns, legacyTimeZone);
      await dropOldTables(client, log);
      for (const migration of later) {
        const duration = await applyWithinTransaction(client, migration, appVersion);
        log(`Applied ${migration.file} in ${duration} ms.`);
      }
      for (const statement of foreignKeys) await client.query(statement);
      await deriveColumns(client, log);
      await client.query(`alter table ${PREDECESSOR_LEDGER} rename to ${LEDGER_KEPT_AS}`);
      await writeLedger(client, {
        number: ORIGIN,
        name: `takeover of ${version}, times read in ${legacyTimeZone}`,
        checksum: copy.sha256,
        duration_ms: 0,
        breaking: false,
        app_version: appVersion,
      });
      return { outcome: 'done', copy: copy.folder, tables };
    });
    if (result.outcome === 'done') {
      log('The database is taken over.');
      await migrateJobQueue(connectionString, lockTimeoutMs);
      await ensureRoles(client, log);
    }
    return result;
  });
}

async function countRows(client: pg.Client): Promise<TakeoverPlan['tables']> {
  const counts: { table: string; rows: number }[] = [];
  for (const table of TABLE_NAMES) {
    const { rows } = await client.query<{ rows: string }>(`select count(*) as rows from ${table}`);
    counts.push({ table, rows: Number(rows[0]?.rows) });
  }
  return counts;
}

async function notesOn(client: pg.Client, found: Inspection, timeZone: string): Promise<string[]> {
  const notes = await clockNotes(client, found.columns, timeZone);
  const { grantees, others } = found;
  if (grantees.length > 0) {
    notes.push(`Privileges on the old tables are not carried over: ${grantees.join(', ')} had some.`);
  }
  if (others.length > 0) notes.push(`These tables stay as they are: ${others.join(', ')}.`);
  return notes;
}

function stepsOf(
  migrations: readonly Migration[],
  tables: TakeoverPlan['tables'],
  timeZone: string,
): string[] {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  const last = migrations.at(-1)?.file ?? '';
  return [
    `Copy all tables (${rows} rows) to files, and read them back`,
    `Make our tables and fill them: amounts exact to the last digit, times read as those of ${timeZone}`,
    'Compare every row with the old one, then remove the old tables',
    `Apply the later migrations, up to ${last}`,
    'Work out who waits for whom, since when, and the paths of the organisation',
    `Keep ${PREDECESSOR_LEDGER} as ${LEDGER_KEPT_AS}, so that the predecessor does not start on this database by mistake`,
  ];
}

async function refuseConnections(client: pg.Client): Promise<void> {
  const others = await connectionsOfOthers(client);
  if (others.length === 0) return;
  const names = others.map(
    ({ pid, user, application }) => `${pid} (${user}${application && `, ${application}`})`,
  );
  throw new DatabaseRefusal(
    `Others are connected to this database: ${names.join(', ')}.`,
    'Stop the predecessor and everything else that uses the database.',
  );
}

/** Nobody reads or writes the old tables from the first check to the last step. */
async function inTransactionWithLocks<Result>(
  client: pg.Client,
  log: Log,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await inTransaction(client, async () => {
        await client.query(
          `lock table ${[...TABLE_NAMES, PREDECESSOR_LEDGER].join(', ')} in access exclusive mode`,
        );
        await client.query(SETTINGS);
        return work();
      });
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || error.code !== LOCK_NOT_AVAILABLE) throw error;
      if (attempt === LOCK_ATTEMPTS) {
        throw new DatabaseRefusal(
          'Somebody works on the tables and does not let go of them.',
          'Stop the predecessor and everything else that uses the database, then run this again.',
        );
      }
      log('Somebody works on the tables; trying again.');
      await pause(PAUSE_MS);
    }
  }
}
