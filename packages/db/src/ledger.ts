import type pg from 'pg';

/** What `schema_migration` tells about one applied migration. */
export interface AppliedMigration {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
  readonly applied_at: Date;
  readonly duration_ms: number;
  readonly breaking: boolean;
  /** The version of the code that applied it. */
  readonly app_version: string | null;
}

/**
 * The row number 0 says where the rows of the predecessor's tables come from: reference data of a fresh
 * installation, or a takeover. While it is missing, reference data may still have to be written.
 */
export const ORIGIN = 0;

/** Of the takeover, read by everybody who must not work on a database that is only half taken over. */
export const PREDECESSOR_LEDGER = 'alembic_version';

export type Queryable = Pick<pg.ClientBase, 'query'>;

export async function createLedger(client: Queryable): Promise<void> {
  await client.query(`
    create table if not exists public.schema_migration (
      number integer primary key,
      name text not null,
      checksum text not null,
      applied_at timestamptz not null default now(),
      duration_ms integer not null,
      breaking boolean not null,
      app_version text
    )`);
}

/** Null when the database has no ledger. */
export async function readLedger(client: Queryable): Promise<AppliedMigration[] | null> {
  if (!(await tableExists(client, 'schema_migration'))) return null;
  const { rows } = await client.query<AppliedMigration>(
    'select * from public.schema_migration order by number',
  );
  return rows;
}

export async function writeLedger(
  client: Queryable,
  row: Omit<AppliedMigration, 'applied_at'>,
): Promise<void> {
  await client.query(
    `insert into public.schema_migration (number, name, checksum, duration_ms, breaking, app_version)
     values ($1, $2, $3, $4, $5, $6)`,
    [row.number, row.name, row.checksum, row.duration_ms, row.breaking, row.app_version],
  );
}

export async function tableExists(client: Queryable, name: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>('select to_regclass($1) is not null as found', [
    `public.${name}`,
  ]);
  return rows[0]?.found === true;
}

/** Tables and views of the schema public that no extension brought. */
export async function tablesInPublic(client: Queryable): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    select c.relname as name from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
      and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by c.relname`);
  return rows.map((row) => row.name);
}
