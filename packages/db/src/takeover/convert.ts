import pg from 'pg';
import type { Log } from '../migration-session.ts';
import type { ActualColumns } from './inspection.ts';
import { OLD_SCHEMA } from './inspection.ts';
import { type Column, TABLE_NAMES, TABLES, type TableName } from './predecessor.ts';

/**
 * Puts the old tables aside: with their indexes, constraints and sequences, and with the enums that they use, so that
 * every name is free for ours. Foreign keys of tables that are not the predecessor's are taken off; the returned
 * statements put them back on our tables.
 */
export async function putAside(client: pg.ClientBase): Promise<string[]> {
  const { rows: foreign } = await client.query<{ off: string; on: string }>(
    `select format('alter table %s drop constraint %I', n.conrelid::regclass, n.conname) as off,
       format('alter table %s add constraint %I %s', n.conrelid::regclass, n.conname, pg_get_constraintdef(n.oid)) as on
     from pg_constraint n
     join pg_class old on old.oid = n.confrelid
     where n.contype = 'f' and old.relnamespace = 'public'::regnamespace and old.relname = any($1)
       and n.conrelid not in (select oid from pg_class where relnamespace = 'public'::regnamespace and relname = any($1))
     order by 1`,
    [TABLE_NAMES],
  );
  const { rows: types } = await client.query<{ name: string }>(
    `select distinct t.oid::regtype::text as name
     from pg_attribute a join pg_type t on t.oid = a.atttypid
     join pg_class c on c.oid = a.attrelid
     where c.relnamespace = 'public'::regnamespace and c.relname = any($1)
       and t.typtype = 'e' and t.typnamespace = 'public'::regnamespace`,
    [TABLE_NAMES],
  );
  // A sequence that no column owns would stay, and take the name of ours.
  const { rows: sequences } = await client.query<{ name: string }>(
    `select quote_ident(c.relname) as name from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'S' and c.relname = any($1)
       and not exists (
         select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
       )`,
    [TABLE_NAMES.map((table) => `${table}_id_seq`)],
  );
  await client.query(
    [
      `create schema ${OLD_SCHEMA}`,
      ...foreign.map(({ off }) => off),
      ...TABLE_NAMES.map((table) => `alter table ${table} set schema ${OLD_SCHEMA}`),
      ...types.map(({ name }) => `alter type ${name} set schema ${OLD_SCHEMA}`),
      ...sequences.map(({ name }) => `alter sequence ${name} set schema ${OLD_SCHEMA}`),
    ].join(';\n'),
  );
  return foreign.map(({ on }) => on);
}

/** Fills our tables, which are new and without constraints, from the old ones; ids go on after the highest ever given. */
export async function fillTables(
  client: pg.ClientBase,
  actual: ActualColumns,
  timeZone: string,
  log: Log,
): Promise<void> {
  for (const table of TABLE_NAMES) {
    const start = performance.now();
    const columns = Object.entries(TABLES[table].columns).map(([name, column]) => ({
      name,
      value: converted(column, `x.${name}`, actual.get(table)?.get(name)?.type, timeZone),
    }));
    const { rowCount } = await client.query(
      `insert into public.${table} (${columns.map(({ name }) => name).join(', ')})
       select ${columns.map(({ value }) => value).join(', ')}
       from ${OLD_SCHEMA}.${table} x order by ${TABLES[table].key.join(', ')}`,
    );
    if (TABLES[table].columns['id'] !== undefined) await continueIds(client, table);
    log(`Converted ${table}: ${rowCount ?? 0} rows in ${Math.round(performance.now() - start)} ms.`);
  }
}

/** Through text, where a conversion could round or fail to see that two enums have the same labels. */
function converted(column: Column, value: string, type: string | undefined, timeZone: string): string {
  if (column.kind === 'amount') return `${value}::text::numeric`;
  if (column.kind === 'choice') return `${value}::text::${column.becomes ?? 'text'}`;
  if (type === 'timestamp') return `${value} at time zone ${pg.escapeLiteral(timeZone)}`;
  return value;
}

async function continueIds(client: pg.ClientBase, table: TableName): Promise<void> {
  // By the column that owns it, or by the default that draws from it.
  const { rows } = await client.query<{ sequence: string | null }>(
    `select coalesce(
       pg_get_serial_sequence('${OLD_SCHEMA}.${table}', 'id'),
       (select d.refobjid::regclass::text
        from pg_attrdef f
        join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = f.oid and d.refclassid = 'pg_class'::regclass
        join pg_class s on s.oid = d.refobjid and s.relkind = 'S'
        where f.adrelid = '${OLD_SCHEMA}.${table}'::regclass)
     ) as sequence`,
  );
  const sequence = rows[0]?.sequence;
  const position =
    sequence === null || sequence === undefined
      ? '0'
      : `(select case when is_called then last_value else last_value - 1 end from ${sequence})`;
  await client.query(
    `select setval('public.${table}_id_seq', last) from (
       select greatest((select coalesce(max(id), 0) from public.${table}), ${position}) as last
     ) ids where last > 0`,
  );
}

/**
 * Holds every old row against ours, in the form of the old ones: numbers as doubles, times as they stood on the wall.
 * The order of rows does not matter.
 */
export async function compareTables(
  client: pg.ClientBase,
  actual: ActualColumns,
  timeZone: string,
): Promise<void> {
  for (const table of TABLE_NAMES) {
    const columns = Object.entries(TABLES[table].columns);
    const before = columns.map(([name, column]) => {
      const type = actual.get(table)?.get(name)?.type;
      if (column.kind === 'time') return converted(column, `x.${name}`, type, timeZone);
      // A double may be minus zero; zero added makes it zero.
      return column.kind === 'amount' && type !== undefined ? `(x.${name} + 0)::${type}` : `x.${name}`;
    });
    const after = columns.map(([name, column]) => {
      const type = actual.get(table)?.get(name)?.type;
      return column.kind === 'amount' && type !== undefined ? `x.${name}::${type}` : `x.${name}`;
    });
    const { rows } = await client.query<{ same: boolean }>(
      `select (${digest(`${OLD_SCHEMA}.${table}`, before)}) = (${digest(`public.${table}`, after)}) as same`,
    );
    if (rows[0]?.same !== true) throw new Error(`The converted rows of ${table} are not those of before.`);
  }
}

function digest(table: string, values: readonly string[]): string {
  // A row as text quotes its values, so that none can be mistaken for two.
  const row = `row(${values.map((value) => `(${value})::text`).join(', ')})::text`;
  return `select row(count(*), sum(hashtextextended(${row}, 0)::numeric))::text from ${table} x`;
}

/**
 * After the comparison. An enum that a table of somebody else uses too goes back to its place; only where ours has its
 * name it stays in the schema of old things.
 */
export async function dropOldTables(client: pg.ClientBase, log: Log): Promise<void> {
  await client.query(`drop table ${TABLE_NAMES.map((table) => `${OLD_SCHEMA}.${table}`).join(', ')}`);
  const { rows } = await client.query<{
    name: string;
    kind: 'type' | 'sequence';
    used: boolean;
    free: boolean;
  }>(
    `select t.oid::regtype::text as name, 'type' as kind,
       exists (select from pg_attribute a where a.atttypid in (t.oid, t.typarray) and not a.attisdropped) as used,
       not exists (select from pg_type ours where ours.typnamespace = 'public'::regnamespace and ours.typname = t.typname) as free
     from pg_type t where t.typnamespace = '${OLD_SCHEMA}'::regnamespace and t.typtype = 'e'
     union all
     select c.oid::regclass::text, 'sequence', false, true
     from pg_class c where c.relnamespace = '${OLD_SCHEMA}'::regnamespace and c.relkind = 'S'`,
  );
  for (const { name, kind, used, free } of rows) {
    if (!used) await client.query(`drop ${kind} ${name}`);
    else if (free) await client.query(`alter type ${name} set schema public`);
    else log(`Kept the type ${name}: a table that is not the predecessor's uses it, and ours has its name.`);
  }
  if (rows.every(({ used, free }) => !used || free)) await client.query(`drop schema ${OLD_SCHEMA}`);
}
