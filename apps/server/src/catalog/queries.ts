import { type RawBuilder, sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';
import type { Page } from '../platform/paging.ts';
import { all, containing, jsonArray } from '../platform/sql.ts';
import { budgetSourceJson } from './shapes.ts';

export type CatalogueTable = 'budget_source';

const shapes: Record<CatalogueTable, (row: string) => RawBuilder<unknown>> = {
  budget_source: budgetSourceJson,
};

/** A page of the catalogue by name, and how many records there are in all: one statement. */
export async function listRecords(
  db: Executor,
  table: CatalogueTable,
  search: string | undefined,
  page: Page,
): Promise<{ items: string; total: number }> {
  const row = sql.table(table);
  const matches = all(search ? [sql`${sql.ref(`${table}.name`)} ilike ${containing(search)}`] : []);
  const rows = sql`
    select ${shapes[table](table)} as json from ${row} where ${matches}
    order by ${sql.ref(`${table}.name`)}, ${sql.ref(`${table}.id`)} limit ${page.limit} offset ${page.offset}`;
  const { rows: results } = await sql<{ items: string; total: number }>`/* catalog.list */
    select ${jsonArray(rows)} as items, (select count(*)::integer from ${row} where ${matches}) as total`.execute(
    db,
  );
  return results[0] ?? { items: '[]', total: 0 };
}

export async function getRecord(
  db: Executor,
  table: CatalogueTable,
  id: number,
): Promise<string | undefined> {
  const { rows } = await sql<{ json: string }>`/* catalog.get */
    select ${shapes[table](table)}::text as json from ${sql.table(table)} where id = ${id}`.execute(db);
  return rows[0]?.json;
}

export type ColumnValues = Readonly<Record<string, string | number | boolean | null>>;

/** Inserts the row and answers its id. */
export async function insertRecord(
  db: Executor,
  table: CatalogueTable,
  values: ColumnValues,
): Promise<number> {
  const columns = sql.join(Object.keys(values).map((column) => sql.ref(column)));
  const { rows } = await sql<{ id: number }>`/* catalog.insert */
    insert into ${sql.table(table)} (${columns}) values (${sql.join(Object.values(values))}) returning id`.execute(
    db,
  );
  const [inserted] = rows;
  if (!inserted) {
    throw new Error(`insert into ${table} returned no row`);
  }
  return inserted.id;
}

/** Changes the given columns; false when there is no such row. */
export async function updateRecord(
  db: Executor,
  table: CatalogueTable,
  id: number,
  values: ColumnValues,
): Promise<boolean> {
  const assignments = Object.entries(values).map(([column, value]) => sql`${sql.ref(column)} = ${value}`);
  if (assignments.length === 0) {
    const { rows } = await sql`/* catalog.exists */ select from ${sql.table(table)} where id = ${id}`.execute(
      db,
    );
    return rows.length > 0;
  }
  const { numAffectedRows } = await sql`/* catalog.update */
    update ${sql.table(table)} set ${sql.join(assignments)} where id = ${id}`.execute(db);
  return numAffectedRows === 1n;
}

export async function deleteRecord(db: Executor, table: CatalogueTable, id: number): Promise<boolean> {
  const { numAffectedRows } = await sql`/* catalog.delete */
    delete from ${sql.table(table)} where id = ${id}`.execute(db);
  return numAffectedRows === 1n;
}
