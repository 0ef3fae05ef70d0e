import { type RawBuilder, sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';
import type { Page } from '../platform/paging.ts';
import { jsonArray } from '../platform/sql.ts';

/** What is deleted by a person and can be brought back; the rest goes with one of them. */
export type Restorable = 'purpose' | 'purchase';

/** A delete on the audit trail. */
export interface Deletion {
  readonly entity: Restorable;
  readonly id: number;
  /** Of the row itself; what went with it was written in the same transaction. */
  readonly entry: string;
}

export async function exists(db: Executor, entity: Restorable, id: number): Promise<boolean> {
  const { rows } = await sql<{ found: boolean }>`/* audit.exists */
    select exists (select from ${sql.table(entity)} where id = ${id}) as found`.execute(db);
  return rows[0]?.found === true;
}

export async function latestDeletion(
  db: Executor,
  entity: Restorable,
  id: number,
): Promise<Deletion | undefined> {
  const { rows } = await sql<{ entry: string }>`/* audit.latest-deletion */
    select id::text as entry from audit_entry
    where entity = ${entity} and entity_id = ${id} and action = 'delete' order by id desc limit 1`.execute(
    db,
  );
  return rows[0] && { entity, id, entry: rows[0].entry };
}

interface Reference {
  readonly column: string;
  readonly table: string;
}

const authority: Reference = { column: 'pending_authority_id', table: 'responsible_authority' };

/** In which order rows can be inserted, and what becomes of them when they refer to rows that are gone. */
const tables: readonly {
  readonly name: string;
  /** Rows whose reference is gone are left out. */
  readonly onlyWith?: Reference;
  /** References that are cleared when their target is deleted. */
  readonly cleared?: readonly Reference[];
}[] = [
  { name: 'purpose', cleared: [authority] },
  { name: 'purpose_status_history' },
  { name: 'purpose_content' },
  {
    name: 'purpose_file_attachment',
    onlyWith: { column: 'file_attachment_id', table: 'file_attachment' },
  },
  {
    name: 'purchase',
    cleared: [
      authority,
      { column: 'budget_source_id', table: 'budget_source' },
      { column: 'predefined_flow_id', table: 'predefined_flow' },
    ],
  },
  { name: 'cost' },
  { name: 'stage' },
  { name: 'flow_decision' },
];

/** The rows that went with the deletion, itself included: `gone (entity, before)`, for a WITH list. */
function gone({ entity, id, entry }: Deletion): RawBuilder<unknown> {
  const purchases =
    entity === 'purchase'
      ? sql`select ${id}::text`
      : sql`select entity_id::text from together where entity = 'purchase' and before ->> 'purpose_id' = ${id}::text`;
  const own =
    entity === 'purchase'
      ? sql`false`
      : sql`entity in ('purpose_status_history', 'purpose_content', 'purpose_file_attachment', 'purchase')
          and before ->> 'purpose_id' = ${id}::text`;
  return sql`
    deletion as (select at, transaction_id from audit_entry where id = ${entry}::bigint),
    together as materialized (
      select e.id, e.entity, e.entity_id, e.before
      from deletion d join audit_entry e on e.at = d.at and e.transaction_id is not distinct from d.transaction_id
      where e.action = 'delete' and e.entity = any(${tables.map(({ name }) => name)}::text[])
    ),
    gone as materialized (
      select entity, before from together
      where id = ${entry}::bigint or (${own})
        or entity in ('cost', 'stage', 'flow_decision') and before ->> 'purchase_id' in (${purchases})
    )`;
}

/** What the rows need and is no longer there. */
export interface Missing {
  readonly entity: string;
  readonly id: number;
  /** As it was called when it was deleted. */
  readonly name: string | null;
}

export async function missingReferences(db: Executor, deletion: Deletion): Promise<readonly Missing[]> {
  const needed = [
    ['purpose', 'supplier_id', 'supplier'],
    ['purpose', 'service_type_id', 'service_type'],
    ['purpose', 'hierarchy_id', 'hierarchy'],
    ['purpose_content', 'service_id', 'service'],
    ['stage', 'stage_type_id', 'stage_type'],
  ].map(
    ([from = '', column = '', to = '']) => sql`
      select ${to}::text as entity, (before ->> ${column})::integer as id from gone
      where entity = ${from} and not exists (
        select from ${sql.table(to)} there where there.id = (before ->> ${column})::integer)`,
  );
  const { rows } = await sql<Missing>`/* audit.missing-references */
    with ${gone(deletion)}, missing as (${sql.join(needed, sql` union `)})
    select entity, id, (select before ->> 'name' from audit_entry e
      where e.entity = missing.entity and e.entity_id = missing.id and e.action = 'delete'
      order by e.id desc limit 1) as name
    from missing where id is not null order by entity, id`.execute(db);
  return rows;
}

/** Whether something comes back that waits for somebody. */
export async function hasPendingStages(db: Executor, deletion: Deletion): Promise<boolean> {
  const { rows } = await sql<{ pending: boolean }>`/* audit.has-pending-stages */
    with ${gone(deletion)}
    select exists (select from gone where entity = 'stage' and before ->> 'completion_date' is null) as pending`.execute(
    db,
  );
  return rows[0]?.pending === true;
}

export async function purposeOfPurchase(db: Executor, { entry }: Deletion): Promise<number> {
  const { rows } = await sql<{ id: number }>`/* audit.purpose-of-purchase */
    select (before ->> 'purpose_id')::integer as id from audit_entry where id = ${entry}::bigint`.execute(db);
  return rows[0]?.id ?? 0;
}

/**
 * Inserts the rows again, with the columns that they had and the tables still have. Derived ones are inserted as they
 * were, so that the triggers, which work them out anew, have nothing to write unless something changed meanwhile. The
 * version rises by one, so that nobody takes the record for the one he read before it was deleted.
 */
export async function insertGone(db: Executor, deletion: Deletion): Promise<void> {
  for (const { name, onlyWith, cleared = [] } of tables) {
    const columns = await columnsOf(db, deletion, name);
    if (columns.length === 0) continue;
    if (name === 'purpose_status_history') {
      // The insert of the purpose has begun a history of its own.
      await sql`/* audit.strike-history */
        delete from purpose_status_history where purpose_id = ${deletion.id}`.execute(db);
    }
    const values = columns.map((column) => {
      const reference = cleared.find((one) => one.column === column);
      if (reference) return sql`case when ${stillThere(reference)} then ${sql.ref(`r.${column}`)} end`;
      return column === 'version' && name === deletion.entity ? sql`r.version + 1` : sql.ref(`r.${column}`);
    });
    await sql`/* audit.insert-gone */
      with ${gone(deletion)}
      insert into ${sql.table(name)} (${sql.join(columns.map((column) => sql.ref(column)))})
      overriding system value
      select ${sql.join(values)}
      from gone, jsonb_populate_record(null::${sql.table(name)}, before) r
      where gone.entity = ${name} and ${onlyWith ? stillThere(onlyWith) : sql`true`}
      order by ${name === 'purpose_file_attachment' ? sql`r.file_attachment_id` : sql`r.id`}`.execute(db);
  }
}

function stillThere({ column, table }: Reference): RawBuilder<unknown> {
  return sql`exists (select from ${sql.table(table)} there where there.id = ${sql.ref(`r.${column}`)})`;
}

async function columnsOf(db: Executor, deletion: Deletion, table: string): Promise<readonly string[]> {
  const { rows } = await sql<{ column: string }>`/* audit.columns */
    with ${gone(deletion)}
    select a.attname::text as column from pg_attribute a
    where a.attrelid = ${table}::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
      and a.attname <> 'version_transaction'
      and exists (select from gone where entity = ${table} and before ? a.attname)
    order by a.attnum`.execute(db);
  return rows.map(({ column }) => column);
}

/** The purpose is as it was last touched: to be brought back is no edit. */
export async function keepLastModified(db: Executor, { id, entry }: Deletion): Promise<void> {
  await sql`/* audit.keep-last-modified */
    update purpose o set last_modified = r.last_modified
    from audit_entry e, jsonb_populate_record(null::purpose, e.before) r
    where o.id = ${id} and e.id = ${entry}::bigint and o.last_modified <> r.last_modified`.execute(db);
}

/** The purposes that were deleted and are not there again, the last one first. */
export async function deletedPurposes(db: Executor, page: Page): Promise<{ items: string; total: number }> {
  const deleted = sql`
    from audit_entry e
    where e.entity = 'purpose' and e.action = 'delete'
      and not exists (select from purpose where purpose.id = e.entity_id)
      and not exists (select from audit_entry later where later.entity = 'purpose' and later.entity_id = e.entity_id
        and later.action = 'delete' and later.id > e.id)`;
  const items = jsonArray(sql`
    select json_build_object('id', e.entity_id, 'description', e.before -> 'description',
      'deleted_at', utc_iso(e.at),
      'deleted_by', (select name from principal where principal.id = e.principal_id)) as json
    ${deleted} order by e.at desc, e.id desc limit ${page.limit} offset ${page.offset}`);
  const { rows } = await sql<{ items: string; total: number }>`/* audit.deleted-purposes */
    select ${items} as items, (select count(*)::integer ${deleted}) as total`.execute(db);
  return rows[0] ?? { items: '[]', total: 0 };
}
