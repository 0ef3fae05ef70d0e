import pg from 'pg';
import { migrateJobQueue } from './job-queue.ts';
import { isCancelled, isLockTrouble, lockRefusal } from './lock-refusal.ts';
import type { AppliedMigration } from './ledger.ts';
import {
  createLedger,
  ORIGIN,
  PREDECESSOR_LEDGER,
  readLedger,
  tableExists,
  tablesInPublic,
} from './ledger.ts';
import { applyMigration, migrationFailure } from './migration-apply.ts';
import type { Migration, MigrationName } from './migration-files.ts';
import { migrationsDirectory, readMigrations } from './migration-files.ts';
import type { PhasedMigration } from './migration-fit.ts';
import { guardOthers, type Guard } from './migration-guard.ts';
import { migrationLabel, type PhaseChoice, phaseOf, splitByPhase } from './migration-phases.ts';
import type { Log } from './migration-session.ts';
import { aloneOnDatabase, inTransaction, pause } from './migration-session.ts';
import { writeReferenceData } from './reference.ts';
import { DatabaseRefusal } from './refusal.ts';
import { ensureRoles } from './roles.ts';

export interface MigrateOptions {
  readonly connectionString: string;
  readonly log?: Log;
  /** The version of the code that migrates. */
  readonly appliedBy?: string;
  /** Which migrations to apply; left out: all. A database that no version has used yet always gets all. */
  readonly phase?: PhaseChoice;
  /** Other migrations than those of the product; nothing is filled in after them. */
  readonly directory?: string;
  /** How long a statement waits for a lock before it lets those through that queue behind it, and tries again. */
  readonly lockTimeoutMs?: number;
  /** How often a migration is tried when locks are not to be had. */
  readonly attempts?: number;
}

export interface MigrateResult {
  readonly applied: readonly MigrationName[];
  /** Left for another phase. */
  readonly left: readonly MigrationName[];
}

/** Whoever queues behind a migration that waits, waits no longer than this: less than a second. */
const LOCK_TIMEOUT_MS = 800;
const ATTEMPTS = 12;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8000;

/** Brings the database to the state that this code needs: migrations, reference data of a new one, privileges. */
export async function migrate(options: MigrateOptions): Promise<MigrateResult> {
  const log = options.log ?? (() => undefined);
  const lockTimeoutMs = options.lockTimeoutMs ?? LOCK_TIMEOUT_MS;
  return aloneOnDatabase(
    { connectionString: options.connectionString, log, lockTimeoutMs },
    async (client) => {
      try {
        await refuseForeignTables(client);
        await createLedger(client);
        return await bringUpToDate(client, { ...options, log, lockTimeoutMs });
      } catch (error) {
        // Around the migrations: reference data, privileges.
        if (!isLockTrouble(error)) throw error;
        const message = 'The database is not up to date yet: others hold a lock that is needed.';
        throw await lockRefusal(client, message, lockTimeoutMs);
      }
    },
  );
}

async function bringUpToDate(
  client: pg.Client,
  options: MigrateOptions & { readonly log: Log; readonly lockTimeoutMs: number },
): Promise<MigrateResult> {
  const migrations = await readMigrations(options.directory ?? migrationsDirectory());
  const ledger = (await readLedger(client)) ?? [];
  refuseChangedFiles(migrations, ledger);
  const done = new Set(ledger.map((row) => row.number));
  const missing = migrations.filter((migration) => !done.has(migration.number));
  const choice = done.has(ORIGIN) ? (options.phase ?? 'all') : 'all';
  const { now, later } = splitByPhase(missing, choice);
  refuseContractBeforeExpand(choice, now, later);
  if (now.length > 0) {
    const guard = await guardOthers(options.connectionString, client);
    try {
      for (const migration of now) await applyPatiently(client, migration, { ...options, guard });
    } finally {
      await guard.end();
    }
  }
  if (later.length > 0) options.log(whatIsLeft(later));
  if (options.directory === undefined) {
    await inTransaction(client, () => writeReferenceData(client, options.appliedBy ?? null));
    await migrateJobQueue(options.connectionString, options.lockTimeoutMs);
  }
  await ensureRoles(client, options.log);
  return { applied: now.map(named), left: later.map(named) };
}

/** Of the two phases expand comes first: the version that needs a contract migration runs after the expand ones. */
function refuseContractBeforeExpand(
  choice: PhaseChoice,
  now: readonly Migration[],
  later: readonly Migration[],
): void {
  if (choice !== 'contract' || now.length > 0 || later.length === 0) return;
  throw new DatabaseRefusal(
    `Expand migrations come first and are not applied: ${splitByPhase(later, 'expand').now.map(migrationLabel).join(', ')}.`,
    'Run `calculaud db migrate --phase expand`.',
  );
}

function whatIsLeft(later: readonly Migration[]): string {
  const [first] = later;
  const why =
    first && phaseOf(first) === 'contract'
      ? 'the first is a contract migration, which the version before cannot run on (--phase contract)'
      : 'the first is an expand migration (--phase expand)';
  return `Left: ${later.map(migrationLabel).join(', ')}; ${why}.`;
}

async function refuseForeignTables(client: pg.Client): Promise<void> {
  if (await tableExists(client, PREDECESSOR_LEDGER)) {
    throw new DatabaseRefusal(
      'This database belongs to the predecessor, or its takeover is not finished.',
      'Take it over with `calculaud db takeover`; it says first what it would do.',
    );
  }
  const ledger = await readLedger(client);
  if (ledger !== null && ledger.length > 0) return;
  const foreign = (await tablesInPublic(client)).filter((table) => table !== 'schema_migration');
  if (foreign.length === 0) return;
  throw new DatabaseRefusal(
    `This database already holds tables of something else: ${foreign.slice(0, 5).join(', ')}${foreign.length > 5 ? ', …' : ''}.`,
    'Give Calculaud a database of its own (create database …) and name it in DATABASE_URL.',
  );
}

function refuseChangedFiles(migrations: readonly Migration[], ledger: readonly AppliedMigration[]): void {
  for (const migration of migrations) {
    const row = ledger.find(({ number }) => number === migration.number);
    if (row === undefined || row.checksum === migration.checksum) continue;
    throw new DatabaseRefusal(
      `The migration ${migration.file} was changed after it had been applied here (${row.applied_at.toISOString()}).`,
      'Put the file back as it was; what it should do differently belongs in a new migration.',
    );
  }
}

const GUARD_HEARS_MS = 500;

async function applyPatiently(
  client: pg.Client,
  migration: Migration,
  options: Pick<MigrateOptions, 'attempts' | 'appliedBy'> & {
    readonly log: Log;
    readonly lockTimeoutMs: number;
    readonly guard: Guard;
  },
): Promise<void> {
  const attempts = options.attempts ?? ATTEMPTS;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const duration = await applyMigration(client, migration, options.appliedBy ?? null);
      options.log(`Applied ${migration.file} in ${duration} ms.`);
      return;
    } catch (error) {
      // The cancelled statement may end before the guard has heard that its own question was answered.
      if (isCancelled(error) && !options.guard.intervened()) await pause(GUARD_HEARS_MS);
      const cutOff = isCancelled(error) && options.guard.intervened();
      if (!isLockTrouble(error) && !cutOff) throw migrationFailure(migration, error);
      if (attempt === attempts) {
        throw await lockRefusal(
          client,
          `The migration ${migration.file} was not applied: in ${attempts} attempts it did not get a lock that others hold.`,
          options.lockTimeoutMs,
        );
      }
      const wait = Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), LONGEST_PAUSE_MS);
      options.log(
        `${migration.file} waits for a lock that others hold; attempt ${attempt + 1} in ${wait} ms.`,
      );
      await pause(wait);
    }
  }
}

export interface MigrationStatus {
  /** All that the database remembers, where its first rows came from included. */
  readonly ledger: readonly AppliedMigration[];
  readonly applied: readonly AppliedMigration[];
  readonly pending: readonly PhasedMigration[];
  /** Applied by newer code than this. */
  readonly newer: readonly AppliedMigration[];
  /** Files that are no longer what was applied. */
  readonly changed: readonly MigrationName[];
  /** All that this code knows, applied or not. */
  readonly known: readonly PhasedMigration[];
  /** Whether a version has ever run on it, or could have. */
  readonly used: boolean;
  /** 'empty': nothing there; 'predecessor': to be taken over, or half way; 'foreign': tables of something else. */
  readonly state: 'ours' | 'empty' | 'predecessor' | 'foreign';
}

/** Looks, and changes nothing. */
export async function migrationStatus(options: {
  readonly connectionString: string;
  readonly directory?: string;
}): Promise<MigrationStatus> {
  const migrations = await readMigrations(options.directory ?? migrationsDirectory());
  const client = new pg.Client({
    connectionString: options.connectionString,
    application_name: 'calculaud db',
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const rows = (await readLedger(client)) ?? [];
    const applied = rows.filter((row) => row.number !== ORIGIN);
    const tables = await tablesInPublic(client);
    const byNumber = new Map(applied.map((row) => [row.number, row]));
    const known = new Set(migrations.map(({ number }) => number));
    return {
      ledger: rows,
      applied,
      pending: migrations.filter(({ number }) => !byNumber.has(number)).map(phased),
      known: migrations.map(phased),
      used: applied.length < rows.length,
      newer: applied.filter(({ number }) => !known.has(number)),
      changed: migrations
        .filter(({ number, checksum }) => (byNumber.get(number)?.checksum ?? checksum) !== checksum)
        .map(named),
      state: stateOf(tables, applied.length > 0),
    };
  } finally {
    await client.end();
  }
}

function stateOf(tables: readonly string[], migrated: boolean): MigrationStatus['state'] {
  if (tables.includes(PREDECESSOR_LEDGER)) return 'predecessor';
  if (migrated) return 'ours';
  return tables.every((table) => table === 'schema_migration') ? 'empty' : 'foreign';
}

function named({ number, name }: MigrationName): MigrationName {
  return { number, name };
}

function phased({ number, name, breaking }: PhasedMigration): PhasedMigration {
  return { number, name, breaking };
}
