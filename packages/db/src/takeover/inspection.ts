import type pg from 'pg';
import { PREDECESSOR_LEDGER, readLedger, tableExists, tablesInPublic } from '../ledger.ts';
import { DatabaseRefusal } from '../refusal.ts';
import { type Column, LEDGER_KEPT_AS, TABLE_NAMES, TABLES, type TableName } from './predecessor.ts';

/** `unique nulls not distinct` came with it. */
const OLDEST_SERVER = 150000;
/** Where the old tables stay until the new ones are filled and compared. */
export const OLD_SCHEMA = 'predecessor';

const TYPES: Readonly<Record<Column['kind'], readonly string[]>> = {
  whole: ['int4', 'int2'],
  flag: ['bool'],
  text: ['varchar', 'text', 'bpchar'],
  time: ['timestamp', 'timestamptz'],
  day: ['date'],
  amount: ['float8', 'float4', 'numeric'],
  choice: ['enum', 'varchar', 'text'],
};

export interface ActualColumn {
  readonly type: string;
  readonly required: boolean;
}

/** By table, then by column. */
export type ActualColumns = ReadonlyMap<string, ReadonlyMap<string, ActualColumn>>;

/** The predecessor's database as it was found; only one that can be taken over gets this far. */
export interface Inspection {
  readonly version: string;
  readonly columns: ActualColumns;
  /** Tables that are not the predecessor's, and stay as they are. */
  readonly others: readonly string[];
  /** Who else is connected. */
  readonly connections: readonly Connection[];
  /** Others who may use the old tables; they must be given their privileges again. */
  readonly grantees: readonly string[];
}

export interface Connection {
  readonly pid: number;
  readonly user: string;
  readonly application: string;
}

/** Changes nothing. Refuses with everything at once that stands in the way. */
export async function inspect(client: pg.ClientBase): Promise<Inspection> {
  await refuseUnlessPredecessor(client);
  const actual = await actualColumns(client);
  const obstacles = [
    ...(await serverObstacles(client)),
    ...TABLE_NAMES.flatMap((table) => columnObstacles(table, actual.get(table))),
    ...(await objectObstacles(client)),
  ];
  if (obstacles.length > 0) {
    throw new DatabaseRefusal(
      ['This database cannot be taken over as it is:', ...obstacles.map((obstacle) => `- ${obstacle}`)].join(
        '\n',
      ),
      "Bring it to the predecessor's newest revision (alembic upgrade head), or remove what is named; nothing was changed.",
    );
  }
  const known = new Set<string>([...TABLE_NAMES, PREDECESSOR_LEDGER]);
  return {
    version: await versionOf(client),
    columns: actual,
    others: (await tablesInPublic(client)).filter((table) => !known.has(table)),
    connections: await connectionsOfOthers(client),
    grantees: await granteesOf(client),
  };
}

async function refuseUnlessPredecessor(client: pg.ClientBase): Promise<void> {
  const ours = ((await readLedger(client)) ?? []).length > 0;
  if (ours) {
    const taken = await tableExists(client, LEDGER_KEPT_AS);
    throw new DatabaseRefusal(
      taken ? 'This database has been taken over already.' : 'This database is ours from the start.',
      'Run `calculaud db migrate` to bring it up to date.',
    );
  }
  if (await tableExists(client, PREDECESSOR_LEDGER)) return;
  throw new DatabaseRefusal(
    `This is no database of the predecessor: it has no table ${PREDECESSOR_LEDGER}.`,
    'Check DATABASE_URL. An empty database is filled by `calculaud db migrate`.',
  );
}

async function versionOf(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ version: string | null }>(
    `select string_agg(version_num, ', ' order by version_num) as version from ${PREDECESSOR_LEDGER}`,
  );
  return rows[0]?.version ?? 'none';
}

async function actualColumns(client: pg.ClientBase): Promise<ActualColumns> {
  const { rows } = await client.query<{ table: string; column: string; type: string; required: boolean }>(
    `select c.relname as table, a.attname as column, a.attnotnull as required,
       case t.typtype when 'e' then 'enum' else t.typname end as type
     from pg_class c
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     join pg_type t on t.oid = a.atttypid
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname = any($1)`,
    [TABLE_NAMES],
  );
  const tables = new Map<string, Map<string, ActualColumn>>();
  for (const { table, column, type, required } of rows) {
    const columns = tables.get(table) ?? new Map<string, ActualColumn>();
    tables.set(table, columns.set(column, { type, required }));
  }
  return tables;
}

function columnObstacles(table: TableName, actual: ReadonlyMap<string, ActualColumn> | undefined): string[] {
  if (actual === undefined) return [`The table ${table} is missing.`];
  const expected = TABLES[table].columns;
  const missing = Object.keys(expected).filter((name) => !actual.has(name));
  const unknown = [...actual.keys()].filter((name) => expected[name] === undefined);
  const wrong = Object.entries(expected).flatMap(([name, { kind }]) => {
    const type = actual.get(name)?.type;
    return type === undefined || TYPES[kind].includes(type) ? [] : [{ name, type, kind }];
  });
  return [
    ...missing.map((name) => `The column ${table}.${name} is missing.`),
    ...unknown.map(
      (name) => `The column ${table}.${name} is unknown: move what it holds into a table of its own.`,
    ),
    ...wrong.map(
      ({ name, type, kind }) =>
        `The column ${table}.${name} has the type ${type}, not ${TYPES[kind].join(' or ')}.`,
    ),
  ];
}

async function serverObstacles(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ obstacle: string }>(
    `select 'PostgreSQL ' || current_setting('server_version') || ' is too old: 15 is the oldest that is supported.' as obstacle
     where current_setting('server_version_num')::int < $1
     union all
     select 'The user ' || current_user || ' may not create schemas and extensions in the database ' || current_database() || '.'
     where not has_database_privilege(current_database(), 'create')
     union all
     select 'The user ' || current_user || ' may not create tables in the schema public.'
     where not has_schema_privilege('public', 'create')
     union all
     select 'The server does not have the extension ' || name || ' (package postgresql-contrib).'
     from unnest(array['pg_trgm', 'pgcrypto']) name where name not in (select name from pg_available_extensions)
     union all
     select 'The schema ' || nspname || ' exists, and the takeover needs the name.' from pg_namespace where nspname = $2`,
    [OLDEST_SERVER, OLD_SCHEMA],
  );
  return rows.map(({ obstacle }) => obstacle);
}

/** Objects that would be lost, or hold on to, a table that is replaced. */
async function objectObstacles(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ obstacle: string }>(
    `with old as (
       select oid, relname, relowner from pg_class
       where relnamespace = 'public'::regnamespace and relkind = 'r' and relname = any($1)
     )
     select 'The table ' || relname || ' belongs to ' || pg_get_userbyid(relowner) || ', not to ' || current_user || '.' as obstacle
     from old where not pg_has_role(relowner, 'usage')
     union all
     select distinct 'The view ' || r.ev_class::regclass || ' reads ' || old.relname || ': drop it, and create it again afterwards.'
     from old join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = old.oid and d.classid = 'pg_rewrite'::regclass
     join pg_rewrite r on r.oid = d.objid and r.ev_class <> old.oid
     union all
     select 'The trigger ' || t.tgname || ' of ' || old.relname || ' would be lost: drop it.'
     from old join pg_trigger t on t.tgrelid = old.oid and not t.tgisinternal
     union all
     select 'The policy ' || p.polname || ' of ' || old.relname || ' would be lost: drop it.'
     from old join pg_policy p on p.polrelid = old.oid
     union all
     select 'The table ' || old.relname || ' has an inheritance with ' || case when i.inhrelid = old.oid then i.inhparent else i.inhrelid end::regclass || '.'
     from old join pg_inherits i on old.oid in (i.inhrelid, i.inhparent)
     union all
     select 'The publication ' || p.pubname || ' publishes ' || old.relname || ': take it out.'
     from old join pg_publication_rel r on r.prrelid = old.oid join pg_publication p on p.oid = r.prpubid`,
    [[...TABLE_NAMES, PREDECESSOR_LEDGER]],
  );
  return rows.map(({ obstacle }) => obstacle);
}

export async function connectionsOfOthers(client: pg.ClientBase): Promise<Connection[]> {
  // Background processes of the server have no user.
  const { rows } = await client.query<Connection>(`
    select pid, usename as user, coalesce(application_name, '') as application from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and usename is not null
    order by pid`);
  return rows;
}

async function granteesOf(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct case a.grantee when 0 then 'public' else pg_get_userbyid(a.grantee)::text end as name
     from pg_class c cross join aclexplode(c.relacl) a
     where c.relnamespace = 'public'::regnamespace and c.relname = any($1) and a.grantee <> c.relowner
     order by 1`,
    [TABLE_NAMES],
  );
  return rows.map(({ name }) => name);
}
