import type { Pool } from 'pg';

/**
 * Everything that the catalogue of the database says about the schema public, by kind, as text: two databases with the
 * same description behave the same. Without extensions, and without the given tables and what hangs on them.
 */
export async function describeSchema(
  pool: Pool,
  without: readonly string[] = [],
): Promise<Record<string, string[]>> {
  const description: Record<string, string[]> = {};
  for (const [kind, query] of Object.entries(QUERIES)) {
    const { rows } = await pool.query<{ line: string }>(
      `with ${TABLES} select line from (${query}) lines order by line collate "C"`,
      [without],
    );
    description[kind] = rows.map(({ line }) => line);
  }
  return description;
}

const TABLES = `of_extensions as (select classid, objid from pg_depend where deptype = 'e'),
  tables as (
    select oid, relname, relkind, relacl, reloptions from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and relname <> all($1)
  )`;

const QUERIES = {
  tables: `select concat_ws(' ', relname, relkind, reloptions) as line from tables`,
  columns: `
    select concat_ws(' ', relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
      a.attgenerated, pg_get_expr(d.adbin, d.adrelid)) as line
    from tables join pg_attribute a on a.attrelid = tables.oid and a.attnum > 0
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum`,
  constraints: `
    select concat_ws(' ', relname, n.conname, pg_get_constraintdef(n.oid), n.convalidated) as line
    from tables join pg_constraint n on n.conrelid = tables.oid`,
  indexes: `
    select concat_ws(' ', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisready, i.indisprimary) as line
    from tables join pg_index i on i.indrelid = tables.oid`,
  triggers: `
    select concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled) as line
    from tables join pg_trigger t on t.tgrelid = tables.oid and not t.tgisinternal`,
  triggers_of_constraints: `
    select concat_ws(' ', relname, t.tgfoid::regproc, t.tgenabled, count(*)) as line
    from tables join pg_trigger t on t.tgrelid = tables.oid and t.tgisinternal
    where t.tgconstrrelid <> all (select oid from pg_class where relname = any($1)) or t.tgconstrrelid = 0
    group by relname, t.tgfoid, t.tgenabled`,
  functions: `
    select concat_ws(' ', pg_get_functiondef(p.oid), p.proacl) as line from pg_proc p
    where p.pronamespace = 'public'::regnamespace and p.prokind in ('f', 'p')
      and p.oid not in (select objid from of_extensions)`,
  sequences: `
    select concat_ws(' ', c.relname, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmax, s.seqcycle,
      d.refobjid::regclass, d.refobjsubid, c.relacl) as line
    from pg_class c join pg_sequence s on s.seqrelid = c.oid
    join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
    join tables on tables.oid = d.refobjid`,
  enums: `
    select concat_ws(' ', t.typname, string_agg(e.enumlabel, ' ' order by e.enumsortorder)) as line
    from pg_type t join pg_enum e on e.enumtypid = t.oid
    where t.oid in (select a.atttypid from tables join pg_attribute a on a.attrelid = tables.oid)
    group by t.oid, t.typname`,
  privileges: `select concat_ws(' ', relname, relacl) as line from tables`,
  default_privileges: `select concat_ws(' ', defaclrole::regrole, defaclobjtype, defaclacl) as line from pg_default_acl`,
  extensions: `select extname::text as line from pg_extension`,
  schemas: `select nspname::text as line from pg_namespace where nspname !~ '^pg_'`,
} as const;
