import { type RawBuilder, sql } from 'kysely';

export function hierarchyJson(row: string): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${row}.${name}`);
  return sql`json_build_object('id', ${column('id')}, 'type', ${column('type')}, 'name', ${column('name')},
    'parent_id', ${column('parent_id')}, 'path', ${column('path')})`;
}

/** The ids of these nodes and of all below them, by parent links; unknown ids are ignored. A subquery. */
export function descendantIds(ids: readonly number[]): RawBuilder<unknown> {
  return sql`
    with recursive node (id) as (
      select id from hierarchy where id = any(${ids}::integer[])
      union
      select child.id from hierarchy child join node on child.parent_id = node.id
    )
    select id from node`;
}
