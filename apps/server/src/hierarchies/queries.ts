import type { Hierarchy } from '@calculaud/contract/hierarchies';
import type { Executor } from '@calculaud/db/database';
import { sql } from 'kysely';
import type { Page } from '../platform/paging.ts';
import { all, containing, jsonArray } from '../platform/sql.ts';
import { MAXIMUM_PATH } from './rules.ts';
import { descendantIds, hierarchyJson } from './shapes.ts';

export interface NodeFilters {
  readonly type_filter?: Hierarchy['type'] | undefined;
  readonly parent_id?: number | undefined;
  readonly search?: string | undefined;
}

export interface NodeOrder {
  readonly sort_by: string;
  readonly sort_order: 'asc' | 'desc';
}

const sortColumns = new Set(['id', 'parent_id', 'type', 'name', 'path']);

/** A page of nodes, and how many match in all: one statement. */
export async function listNodes(
  db: Executor,
  { type_filter, parent_id, search }: NodeFilters,
  { sort_by, sort_order }: NodeOrder,
  page: Page,
): Promise<{ items: string; total: number }> {
  const matches = all([
    ...(type_filter === undefined ? [] : [sql`type = ${type_filter}`]),
    ...(parent_id === undefined ? [] : [sql`parent_id = ${parent_id}`]),
    ...(search ? [sql`name ilike ${containing(search)}`] : []),
  ]);
  const column = sql.ref(sortColumns.has(sort_by) ? sort_by : 'name');
  const direction = sort_order === 'desc' ? sql`desc` : sql`asc`;
  const { rows } = await sql<{ items: string; total: number }>`/* hierarchies.list */
    select ${jsonArray(sql`
      select ${hierarchyJson('hierarchy')} as json from hierarchy where ${matches}
      order by ${column} ${direction}, id ${direction} limit ${page.limit} offset ${page.offset}`)} as items,
      (select count(*)::integer from hierarchy where ${matches}) as total`.execute(db);
  return rows[0] ?? { items: '[]', total: 0 };
}

/** All nodes by name, or one node and all below it: then nothing when there is no such node. */
export async function listSubtree(db: Executor, top: number | undefined): Promise<Hierarchy[]> {
  const { rows } = await sql<Hierarchy>`/* hierarchies.tree */
    select id, type, name, parent_id, path from hierarchy
    where ${top === undefined ? sql`true` : sql`id in (${descendantIds([top])})`}
    order by name, id`.execute(db);
  return rows;
}

export async function getNode(db: Executor, id: number): Promise<string | undefined> {
  const { rows } = await sql<{ json: string }>`/* hierarchies.get */
    select ${hierarchyJson('hierarchy')}::text as json from hierarchy where id = ${id}`.execute(db);
  return rows[0]?.json;
}

/** The children by name; undefined when there is no such node. */
export async function listChildren(db: Executor, id: number, limit: number): Promise<string | undefined> {
  const { rows } = await sql<{ json: string }>`/* hierarchies.children */
    select ${jsonArray(sql`
      select ${hierarchyJson('child')} as json from hierarchy child where child.parent_id = parent.id
      order by child.name, child.id limit ${limit}`)} as json
    from hierarchy parent where parent.id = ${id}`.execute(db);
  return rows[0]?.json;
}

/**
 * Changes of the tree come one after the other: two moves at once could make a cycle, and a node added below one that
 * is being renamed would keep a wrong path. Readers, and purposes that refer to nodes, do not wait.
 */
export async function lockTree(tx: Executor): Promise<void> {
  await sql`/* hierarchies.lock */ lock table hierarchy in share row exclusive mode`.execute(tx);
}

export async function findNode(tx: Executor, id: number): Promise<Hierarchy | undefined> {
  const { rows } = await sql<Hierarchy>`/* hierarchies.find */
    select id, type, name, parent_id, path from hierarchy where id = ${id}`.execute(tx);
  return rows[0];
}

/** The types that stand directly below the node. */
export async function childTypes(tx: Executor, id: number): Promise<readonly Pick<Hierarchy, 'type'>[]> {
  const { rows } = await sql<Pick<Hierarchy, 'type'>>`/* hierarchies.child-types */
    select distinct type from hierarchy where parent_id = ${id}`.execute(tx);
  return rows;
}

/** Whether the node is the other one or stands somewhere below it. */
export async function isWithin(tx: Executor, id: number, top: number): Promise<boolean> {
  const { rows } = await sql<{ within: boolean }>`/* hierarchies.within */
    select ${id}::integer in (${descendantIds([top])}) as within`.execute(tx);
  return rows[0]?.within === true;
}

export async function insertNode(tx: Executor, node: Omit<Hierarchy, 'id'>): Promise<number> {
  const { rows } = await sql<{ id: number }>`/* hierarchies.insert */
    insert into hierarchy (type, name, parent_id, path)
    values (${node.type}, ${node.name}, ${node.parent_id}, ${node.path}) returning id`.execute(tx);
  const [inserted] = rows;
  if (!inserted) {
    throw new Error('insert into hierarchy returned no row');
  }
  return inserted.id;
}

export async function updateNode(
  tx: Executor,
  { id, type, name, parent_id, path }: Hierarchy,
): Promise<void> {
  await sql`/* hierarchies.update */
    update hierarchy set type = ${type}, name = ${name}, parent_id = ${parent_id}, path = ${path}
    where id = ${id}`.execute(tx);
}

/**
 * Brings the paths of all nodes below this one in line with its own, which is right already, and answers the length of
 * the longest. Writes nothing when that is longer than a path may be.
 */
export async function rewritePathsBelow(tx: Executor, id: number): Promise<number> {
  const { rows } = await sql<{ longest: number }>`/* hierarchies.rewrite-paths */
    with recursive below (id, path) as (
      select id, path::text from hierarchy where id = ${id}
      union all
      select child.id, below.path || ' / ' || child.name
      from hierarchy child join below on child.parent_id = below.id
      where child.id <> ${id} -- data of others may hold a cycle: never go round in it
    ), rewritten as (
      update hierarchy set path = below.path from below
      where hierarchy.id = below.id and hierarchy.path <> below.path
        and (select max(char_length(path)) from below) <= ${MAXIMUM_PATH}
    )
    select max(char_length(path)) as longest from below`.execute(tx);
  return rows[0]?.longest ?? 0;
}

export async function deleteNode(db: Executor, id: number): Promise<boolean> {
  const { numAffectedRows } = await sql`/* hierarchies.delete */
    delete from hierarchy where id = ${id}`.execute(db);
  return numAffectedRows === 1n;
}

/** How many records refer to the node. */
export async function countUsers(db: Executor, id: number): Promise<{ children: number; purposes: number }> {
  const { rows } = await sql<{ children: number; purposes: number }>`/* hierarchies.users */
    select (select count(*)::integer from hierarchy where parent_id = ${id}) as children,
      (select count(*)::integer from purpose where hierarchy_id = ${id}) as purposes`.execute(db);
  return rows[0] ?? { children: 0, purposes: 0 };
}
