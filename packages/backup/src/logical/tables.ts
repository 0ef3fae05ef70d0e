import pg from 'pg';
import { z } from 'zod';

export interface Table {
  readonly name: string;
  /** Without those that the database computes. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** By what its rows can be told apart; empty without a primary key. */
  readonly key: readonly { readonly name: string; readonly text: boolean }[];
  readonly readable: boolean;
}

const tableRow = z.object({
  name: z.string(),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  key: z.array(z.object({ name: z.string(), text: z.boolean() })),
  readable: z.boolean(),
});

/**
 * Asked of the database, and not of the code: one that waits for its last migrations still has a table that this code does
 * not know any more. So tables that are not ours come along, where somebody put them beside ours.
 */
const TABLES = `/* logical.tables */
  select c.relname as name, has_table_privilege(c.oid, 'select') as readable,
    coalesce((
      select json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by a.attnum)
      from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    ), '[]') as columns,
    coalesce((
      select json_agg(json_build_object('name', a.attname, 'text', a.attcollation <> 0) order by k.place)
      from pg_index i
      cross join unnest(i.indkey) with ordinality k (number, place)
      join pg_attribute a on a.attrelid = c.oid and a.attnum = k.number
      where i.indrelid = c.oid and i.indisprimary
    ), '[]') as key
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  order by c.relname collate "C"`;

/** The ordinary tables of the schema public, without those of extensions, in the order of their names. */
export async function describeTables(client: pg.ClientBase): Promise<Table[]> {
  const { rows } = await client.query(TABLES);
  return z.array(tableRow).parse(rows);
}

export function quoted(table: string): string {
  return `public.${pg.escapeIdentifier(table)}`;
}

export function columnList(columns: readonly { readonly name: string }[]): string {
  return columns.map(({ name }) => pg.escapeIdentifier(name)).join(', ');
}

/** The rows in one order on every server: text sorted by its bytes, where databases differ in what comes first. */
export function rowsInOrder({ name, columns, key }: Table): string {
  const order =
    key.length === 0
      ? 't::text collate "C"'
      : key
          .map((column) => `${pg.escapeIdentifier(column.name)}${column.text ? ' collate "C"' : ''}`)
          .join(', ');
  return `select ${columnList(columns)} from ${quoted(name)} t order by ${order}`;
}
