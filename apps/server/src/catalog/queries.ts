import type { Executor } from '@calculaud/db/database';
import { type RawBuilder, sql } from 'kysely';
import type { FileLinks } from '../files/shapes.ts';
import type { Page } from '../platform/paging.ts';
import { all, containing, jsonArray } from '../platform/sql.ts';
import {
  authorityJson,
  budgetSourceJson,
  serviceJson,
  serviceTypeJson,
  stageTypeByItselfJson,
  supplierJson,
} from './shapes.ts';

export type CatalogueTable =
  | 'supplier'
  | 'service_type'
  | 'service'
  | 'budget_source'
  | 'responsible_authority'
  | 'stage_type';

export type ColumnValues = Readonly<Record<string, string | number | boolean | null>>;

interface Source {
  /** The JSON of a record. Only records that nest a file need the links. */
  readonly json: (links: () => FileLinks) => RawBuilder<unknown>;
  /** The row of a record that the JSON nests. */
  readonly join?: RawBuilder<unknown>;
  /** How many records of each kind a delete would leave without what they need. */
  readonly users?: (id: number) => Readonly<Record<string, RawBuilder<unknown>>>;
}

const sources: Readonly<Record<CatalogueTable, Source>> = {
  supplier: {
    json: (links) => supplierJson('supplier', 'icon', links()),
    join: sql`left join file_attachment icon on icon.id = supplier.file_icon_id`,
    users: (id) => ({ purpose: sql`select from purpose where supplier_id = ${id}` }),
  },
  service_type: {
    json: () => serviceTypeJson('service_type'),
    users: (id) => ({
      // Its services go with it, unless a purpose asks for one of them.
      purpose: sql`select id from purpose where service_type_id = ${id} union
        select purpose_id from purpose_content join service on service.id = service_id where service_type_id = ${id}`,
    }),
  },
  service: {
    json: () => serviceJson('service'),
    users: (id) => ({ purpose: sql`select from purpose_content where service_id = ${id}` }),
  },
  budget_source: { json: () => budgetSourceJson('budget_source') },
  responsible_authority: { json: () => authorityJson('responsible_authority') },
  stage_type: {
    json: () => stageTypeByItselfJson('stage_type', 'authority'),
    join: sql`left join responsible_authority authority on authority.id = stage_type.responsible_authority_id`,
    users: (id) => ({
      stage: sql`select from stage where stage_type_id = ${id}`,
      'predefined flow': sql`select distinct predefined_flow_id from predefined_flow_stage where stage_type_id = ${id}`,
    }),
  },
};

/**
 * For a change that may reach every purpose by triggers: to delete an authority for whom 59,000 of 100,000 purposes
 * waited took 40 s on a busy machine.
 */
export async function allowTime(tx: Executor): Promise<void> {
  await sql`/* catalog.allow-time */ set local statement_timeout = '10min'`.execute(tx);
}

export interface RecordFilters {
  readonly search?: string | undefined;
  /** Of services only. */
  readonly service_type_id?: number | undefined;
}

/** The records of a page by name, and how many match in all: one statement. */
export async function listRecords(
  db: Executor,
  table: CatalogueTable,
  { search, service_type_id }: RecordFilters,
  page: Page,
  links: () => FileLinks,
): Promise<{ items: string; total: number }> {
  const { json, join = sql`` } = sources[table];
  const name = sql.ref(`${table}.name`);
  const matches = all([
    ...(search ? [sql`${name} ilike ${containing(search)}`] : []),
    ...(service_type_id === undefined ? [] : [sql`service_type_id = ${service_type_id}`]),
  ]);
  const { rows } = await sql<{ items: string; total: number }>`/* catalog.list */
    select ${jsonArray(sql`
      select ${json(links)} as json from ${sql.table(table)} ${join} where ${matches}
      order by ${name}, ${sql.ref(`${table}.id`)} limit ${page.limit} offset ${page.offset}`)} as items,
      (select count(*)::integer from ${sql.table(table)} where ${matches}) as total`.execute(db);
  return rows[0] ?? { items: '[]', total: 0 };
}

export async function getRecord(
  db: Executor,
  table: CatalogueTable,
  id: number,
  links: () => FileLinks,
): Promise<string | undefined> {
  const { json, join = sql`` } = sources[table];
  const { rows } = await sql<{ json: string }>`/* catalog.get */
    select ${json(links)}::text as json from ${sql.table(table)} ${join}
    where ${sql.ref(`${table}.id`)} = ${id}`.execute(db);
  return rows[0]?.json;
}

/** Inserts the row and answers its id. */
export async function insertRecord(
  db: Executor,
  table: CatalogueTable,
  values: ColumnValues,
): Promise<number> {
  const columns = sql.join(Object.keys(values).map((column) => sql.ref(column)));
  const { rows } = await sql<{ id: number }>`/* catalog.insert */
    insert into ${sql.table(table)} (${columns}) values (${sql.join(Object.values(values))})
    returning id`.execute(db);
  const [inserted] = rows;
  if (!inserted) {
    throw new Error(`insert into ${table} returned no row`);
  }
  return inserted.id;
}

/** Changes the given columns, at least one. */
export async function updateRecord(
  db: Executor,
  table: CatalogueTable,
  id: number,
  values: ColumnValues,
): Promise<void> {
  const assignments = Object.entries(values).map(([column, value]) => sql`${sql.ref(column)} = ${value}`);
  await sql`/* catalog.update */
    update ${sql.table(table)} set ${sql.join(assignments)} where id = ${id}`.execute(db);
}

/**
 * A delete of the budget source is written into purchases. Whoever writes there locks the purposes first; without that
 * fifty edits at the same time and one delete waited for each other in circles, until some were given up.
 */
export async function lockPurposesPaidFrom(tx: Executor, budgetSourceId: number): Promise<void> {
  await sql`/* catalog.lock-purposes */
    select from purpose where id in (select purpose_id from purchase where budget_source_id = ${budgetSourceId})
    order by id for no key update`.execute(tx);
}

/**
 * For a change that may reach every purpose: the trigger takes this lock for another authority, but after the stage type
 * is locked. Whoever edits stages has a purpose and then needs the stage type, so the two waited for each other.
 * Also when the authority seems to stay: somebody else may be changing it.
 */
export async function lockPurposes(tx: Executor): Promise<void> {
  await sql`/* catalog.lock-all-purposes */ lock table purpose in exclusive mode`.execute(tx);
}

export async function deleteRecord(db: Executor, table: CatalogueTable, id: number): Promise<boolean> {
  const { numAffectedRows } = await sql`/* catalog.delete */
    delete from ${sql.table(table)} where id = ${id}`.execute(db);
  return numAffectedRows === 1n;
}

/** How many records of each kind stand in the way of a delete. */
export async function countUsers(
  db: Executor,
  table: CatalogueTable,
  id: number,
): Promise<Readonly<Record<string, number>>> {
  const kinds = Object.entries(sources[table].users?.(id) ?? {});
  if (kinds.length === 0) {
    return {};
  }
  const counts = kinds.map(
    ([noun, rows]) => sql`(select count(*)::integer from (${rows}) users) as ${sql.ref(noun)}`,
  );
  const { rows } = await sql<Record<string, number>>`/* catalog.users */ select ${sql.join(counts)}`.execute(
    db,
  );
  return rows[0] ?? {};
}
