import pg from 'pg';
import { TABLE_NAMES } from './generated/tables.ts';
import type { Log } from './migration-session.ts';
import { inTransaction } from './migration-session.ts';

/** What each process may do at most. The owner of the tables, who migrates, is none of these. */
export const ROLES = {
  app: 'calculaud_app',
  worker: 'calculaud_worker',
  readonly: 'calculaud_readonly',
  backup: 'calculaud_backup',
} as const;

/** Written by the owner alone. */
const OWNERS_TABLE = 'schema_migration';
/** What the backup service tells the others. */
const BACKUPS_TABLE = 'backup_watermark';
/** Rows are added, and never changed or removed. */
const APPEND_ONLY: ReadonlySet<string> = new Set(['audit_entry']);

const INSUFFICIENT_PRIVILEGE = '42501';
/** Two servers that migrate databases of the same cluster may both make the role. */
const ALREADY_MADE: ReadonlySet<string | undefined> = new Set(['42710', '23505']);

/**
 * Gives the roles their privileges; run again it changes nothing. Tables that are not ours are left alone. A server
 * that does not let us create roles (some managed ones) goes on with those that exist.
 */
export async function ensureRoles(client: pg.Client, log: Log): Promise<void> {
  const present = new Set<string>();
  for (const role of Object.values(ROLES)) if (await ensureRole(client, role, log)) present.add(role);
  const list = (...roles: string[]): string => roles.filter((role) => present.has(role)).join(', ');
  const everybody = list(...Object.values(ROLES));
  const writers = list(ROLES.app, ROLES.worker);
  if (everybody === '') return;

  const { tables, sequences, functions } = await ownObjects(client);
  const append = tables.filter((table) => APPEND_ONLY.has(table));
  const write = tables.filter((table) => table !== OWNERS_TABLE && !APPEND_ONLY.has(table));
  const statements = [
    `grant usage on schema public to ${everybody}`,
    ...on(tables, (all) => `grant select on ${all} to ${everybody}`),
    `alter default privileges in schema public grant select on tables to ${everybody}`,
    // A dump reads the position of the sequences.
    ...on(sequences, (all) => `grant select on sequence ${all} to ${everybody}`),
    `alter default privileges in schema public grant select on sequences to ${everybody}`,
  ];
  if (present.has(ROLES.backup) && tables.includes(BACKUPS_TABLE)) {
    statements.push(`grant insert, update on ${BACKUPS_TABLE} to ${ROLES.backup}`);
  }
  if (writers !== '') {
    statements.push(
      ...on(write, (all) => `grant insert, update, delete on ${all} to ${writers}`),
      ...on(append, (all) => `grant insert on ${all} to ${writers}`),
      ...on(append, (all) => `revoke update, delete on ${all} from ${writers}`),
      ...on(sequences, (all) => `grant usage on sequence ${all} to ${writers}`),
      ...on(functions, (all) => `grant execute on function ${all} to ${writers}`),
      // For tables of a newer version, whose names this code does not know.
      `alter default privileges in schema public grant insert, update, delete on tables to ${writers}`,
      `alter default privileges in schema public grant usage on sequences to ${writers}`,
      ...(await jobPrivileges(client, writers.split(', '))),
    );
  }
  await inTransaction(client, () => client.query(statements.join(';\n')));
}

function on(names: readonly string[], statement: (all: string) => string): string[] {
  return names.length === 0 ? [] : [statement(names.join(', '))];
}

async function ensureRole(client: pg.Client, role: string, log: Log): Promise<boolean> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role]);
  if (rowCount === 1) return true;
  try {
    await client.query(`create role ${role} nologin`);
    return true;
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    if (ALREADY_MADE.has(error.code)) return true;
    if (error.code !== INSUFFICIENT_PRIVILEGE) throw error;
    log(
      `The server does not let us create the role ${role}; nothing is granted to it. Create it and migrate again.`,
    );
    return false;
  }
}

/** Quoted for SQL. */
async function ownObjects(
  client: pg.Client,
): Promise<{ tables: string[]; sequences: string[]; functions: string[] }> {
  const { rows: tables } = await client.query<{ name: string }>(
    `select quote_ident(relname) as name from pg_class
     where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and relname = any($1)`,
    [TABLE_NAMES],
  );
  const { rows: sequences } = await client.query<{ name: string }>(
    `select quote_ident(s.relname) as name
     from pg_class s
     join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i')
     join pg_class t on t.oid = d.refobjid
     where s.relkind = 'S' and t.relnamespace = 'public'::regnamespace and t.relname = any($1)`,
    [TABLE_NAMES],
  );
  const { rows: functions } = await client.query<{ name: string }>(`
    select p.oid::regprocedure::text as name from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.prokind = 'f' and pg_has_role(p.proowner, 'usage')
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')`);
  const names = (rows: { name: string }[]): string[] => rows.map(({ name }) => name);
  return { tables: names(tables), sequences: names(sequences), functions: names(functions) };
}

/**
 * The queue of background jobs lives in a schema of its own, made by its library. That library switches row security
 * on without any policy, which shuts out everybody but the owner.
 */
async function jobPrivileges(client: pg.Client, writers: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ name: string; policies: string[] }>(`
    select c.oid::regclass::text as name,
      array(select p.polname::text from pg_policy p where p.polrelid = c.oid) as policies
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'graphile_worker' and c.relrowsecurity and pg_has_role(c.relowner, 'usage')`);
  if (rows.length === 0) return [];
  const all = writers.join(', ');
  return [
    `grant usage on schema graphile_worker to ${all}`,
    `grant select, insert, update, delete on all tables in schema graphile_worker to ${all}`,
    `grant usage, select on all sequences in schema graphile_worker to ${all}`,
    `grant execute on all functions in schema graphile_worker to ${all}`,
    ...rows.flatMap(({ name, policies }) =>
      writers
        .filter((role) => !policies.includes(role))
        .map((role) => `create policy ${role} on ${name} to ${role} using (true) with check (true)`),
    ),
  ];
}
