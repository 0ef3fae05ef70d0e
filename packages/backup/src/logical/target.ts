import { TABLE_NAMES } from '@calculaud/db/generated/tables';
import { migrationStatus } from '@calculaud/db/migrate';
import { type Migration, readMigrations } from '@calculaud/db/migration-files';
import { migrationLabel } from '@calculaud/db/migration-phases';
import pg from 'pg';
import { z } from 'zod';
import { BackupProblem } from '../repository/problem.ts';
import type { ExportedTable, ExportManifest } from './manifest.ts';
import { explained, withTextSession } from './session.ts';
import { describeTables, quoted, type Table } from './tables.ts';

export interface TargetPlan {
  /** What is applied before the rows come, so that the tables are those of the export. */
  readonly before: readonly string[];
  /** What is applied after them: what the export does not know yet. */
  readonly after: readonly string[];
}

interface TargetOptions {
  /** Of the owner. */
  readonly connectionString: string;
  readonly manifest: ExportManifest;
  readonly signal?: AbortSignal | undefined;
}

/** Whether an export can go into a database, and what happens around it. Rejects with the reason, and changes nothing. */
export async function planTarget({ connectionString, manifest, signal }: TargetOptions): Promise<TargetPlan> {
  return explained(signal, async () => {
    const schema = await schemaOf(manifest);
    const numbers = new Set(schema.map(({ number }) => number));
    const status = await migrationStatus({ connectionString });
    const after = status.known.filter(({ number }) => !numbers.has(number)).map(migrationLabel);
    if (status.state === 'empty') return { before: schema.map(migrationLabel), after };
    if (status.state !== 'ours') throw notEmpty('it holds tables that are not those of Calculaud');

    const wanted = new Set(schema.map(identityOf));
    const here = new Set(status.applied.map(identityOf));
    const before = schema.filter((migration) => !here.has(identityOf(migration))).map(migrationLabel);
    // One that no version has used yet may be what an import left that was ended while it made the tables.
    if ([...here].some((identity) => !wanted.has(identity)) || (status.used && before.length > 0)) {
      const newest = status.applied.at(-1);
      throw notEmpty(
        `its schema goes up to ${newest ? migrationLabel(newest) : 'nothing'}, and that of the export up to ${schema.map(migrationLabel).at(-1) ?? ''}`,
      );
    }
    if (before.length > 0) return { before, after };
    await withTextSession(connectionString, { application: 'calculaud import', signal }, async (client) => {
      await matchTables(client, manifest);
    });
    return { before, after };
  });
}

function identityOf({ number, checksum }: { readonly number: number; readonly checksum: string }): string {
  return `${number} ${checksum}`;
}

/** The migrations of the export, as this code has them. */
export async function schemaOf({ migrations, appVersion }: ExportManifest): Promise<Migration[]> {
  const known = new Map((await readMigrations()).map((migration) => [migration.number, migration]));
  const unknown = migrations.filter(({ number, checksum }) => known.get(number)?.checksum !== checksum);
  if (unknown.length > 0) {
    throw new BackupProblem(
      'impossible',
      `The export was written by version ${appVersion} of Calculaud, whose schema this version does not know: ${unknown.map(migrationLabel).join(', ')}. Import it with version ${appVersion} or a newer one.`,
    );
  }
  const wanted = new Set(migrations.map(({ number }) => number));
  return [...known.values()].filter(({ number }) => wanted.has(number));
}

/** A table of the target and what the export has for it. */
export interface Match {
  /** With the columns in the order of the export. */
  readonly table: Table;
  readonly exported: ExportedTable;
}

export interface Matches {
  readonly matches: readonly Match[];
  /** Tables of others, which the export carries and this database lacks. */
  readonly skipped: readonly string[];
}

/** Which table takes which rows; rejects when one does not fit, or when somebody's rows are in one. */
export async function matchTables(client: pg.Client, manifest: ExportManifest): Promise<Matches> {
  const here = await describeTables(client);
  const ours = new Set<string>(TABLE_NAMES);
  const exported = new Map(manifest.tables.map((table) => [table.name, table]));
  const lacking = here.find(({ name }) => ours.has(name) && !exported.has(name));
  if (lacking) {
    throw new BackupProblem('corrupt', `The export lacks the table ${lacking.name}. Use another export.`, {
      object: lacking.name,
    });
  }
  const matches = here.flatMap((table) => {
    const found = exported.get(table.name);
    return found === undefined ? [] : [matched(table, found)];
  });
  const skipped = manifest.tables.filter(({ name }) => !matches.some(({ table }) => table.name === name));
  const entered = await firstEntered(
    client,
    matches.map(({ table }) => table.name),
  );
  if (entered !== undefined) throw notEmpty(`rows were entered into the table ${entered}`, entered);
  return { matches, skipped: skipped.map(({ name }) => name) };
}

function matched(table: Table, exported: ExportedTable): Match {
  const described = (columns: Table['columns']): string =>
    columns
      .map(({ name, type }) => `${name} ${type}`)
      .toSorted()
      .join(', ');
  if (described(table.columns) === described(exported.columns)) {
    return { table: { ...table, columns: exported.columns }, exported };
  }
  throw new BackupProblem(
    'impossible',
    `The table ${table.name} has other columns here than in the export: ${described(table.columns)}, and not ${described(exported.columns)}. Nothing was changed. Somebody altered one of the two by hand; import into an empty database.`,
    { object: table.name },
  );
}

/** Rows of a system that nobody used yet: what migrations and the first start write. Of edits the audit trail tells. */
const NOBODYS: Readonly<Record<string, string>> = {
  schema_migration: 'true',
  responsible_authority: 'true',
  budget_source: 'true',
  stage_type: 'true',
  predefined_flow: 'true',
  predefined_flow_stage: 'true',
  currency: 'true',
  flow_rule: 'true',
  exchange_rate: 'is_starting',
  purpose_count: 'true',
  catalogue_version: 'true',
  backup_watermark: 'true',
  demonstration: "event = 'declined'",
  principal: "kind = 'system'",
  // The principal `bypass` is a person who works without signing in.
  audit_entry: `(action = 'insert' or entity = 'exchange_rate')
    and (principal_id is null or principal_id in (select id from principal where kind = 'system' and subject <> 'bypass'))`,
};

const nameRow = z.object({ name: z.string() });

async function firstEntered(client: pg.Client, tables: readonly string[]): Promise<string | undefined> {
  const looks = tables.map(
    (name) =>
      `select ${pg.escapeLiteral(name)} as name where exists (select from ${quoted(name)} where not (${NOBODYS[name] ?? 'false'}))`,
  );
  if (looks.length === 0) return undefined;
  const { rows } = await client.query(
    `/* logical.entered */ select name from (${looks.join(' union all ')}) entered order by name limit 1`,
  );
  return z.array(nameRow).parse(rows)[0]?.name;
}

function notEmpty(why: string, table?: string): BackupProblem {
  return new BackupProblem(
    'impossible',
    `An export goes into an empty database only, and this one is not: ${why}. Nothing was changed. Make a new database and name it in DATABASE_URL, or a new folder and name it in CALCULAUD_DATA.`,
    table === undefined ? {} : { object: table },
  );
}
