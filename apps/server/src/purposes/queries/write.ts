import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';

export interface PurposeValues {
  readonly description?: string | null | undefined;
  readonly comments?: string | null | undefined;
  readonly status?: string | undefined;
  readonly expected_delivery?: string | null | undefined;
  readonly hierarchy_id?: number | null | undefined;
  readonly supplier_id?: number | null | undefined;
  readonly service_type_id?: number | null | undefined;
  readonly is_flagged?: boolean | undefined;
}

const valueColumns = [
  'description',
  'comments',
  'status',
  'expected_delivery',
  'hierarchy_id',
  'supplier_id',
  'service_type_id',
  'is_flagged',
] as const;

function given(values: PurposeValues) {
  return valueColumns.flatMap((column) => {
    const value = values[column];
    return value === undefined ? [] : [{ column: sql.ref(column), value: sql`${value}` }];
  });
}

export async function insertPurpose(db: Executor, values: PurposeValues): Promise<number> {
  const columns = given(values);
  const { rows } = await sql<{ id: number }>`/* purposes.insert */
    insert into purpose (${sql.join(columns.map(({ column }) => column))})
    values (${sql.join(columns.map(({ value }) => value))}) returning id`.execute(db);
  const [inserted] = rows;
  if (!inserted) {
    throw new Error('insert into purpose returned no row');
  }
  return inserted.id;
}

export async function updatePurpose(db: Executor, id: number, values: PurposeValues): Promise<void> {
  const assignments = given(values).map(({ column, value }) => sql`${column} = ${value}`);
  if (assignments.length > 0) {
    await sql`/* purposes.update */ update purpose set ${sql.join(assignments)} where id = ${id}`.execute(db);
  }
}

/** Locks the purpose for an edit of it or of what belongs to it, and answers its version. */
export async function lockPurpose(db: Executor, id: number): Promise<number | undefined> {
  const { rows } = await sql<{ version: number }>`/* purposes.lock */
    select version from purpose where id = ${id} for no key update`.execute(db);
  return rows[0]?.version;
}

export async function deletePurpose(db: Executor, id: number): Promise<void> {
  await sql`/* purposes.delete */ delete from purpose where id = ${id}`.execute(db);
}

export interface ContentLine {
  readonly service_id: number;
  readonly quantity: number;
}

/** The first of the services that does not exist. */
export async function unknownService(db: Executor, ids: readonly number[]): Promise<number | undefined> {
  const { rows } = await sql<{ id: number }>`/* purposes.unknown-service */
    select id from unnest(${ids}::integer[]) with ordinality as given (id, position)
    where not exists (select from service where service.id = given.id) order by position limit 1`.execute(db);
  return rows[0]?.id;
}

export async function replaceContents(
  db: Executor,
  id: number,
  lines: readonly ContentLine[],
): Promise<void> {
  await sql`/* purposes.delete-contents */ delete from purpose_content where purpose_id = ${id}`.execute(db);
  if (lines.length > 0) {
    await sql`/* purposes.insert-contents */ insert into purpose_content (purpose_id, service_id, quantity)
      select ${id}, service_id, quantity
      from unnest(${lines.map((line) => line.service_id)}::integer[], ${lines.map((line) => line.quantity)}::integer[])
        with ordinality as line (service_id, quantity, position)
      order by position`.execute(db);
  }
}

/** Those of the files that do not exist. */
export async function unknownFiles(db: Executor, ids: readonly number[]): Promise<readonly number[]> {
  const { rows } = await sql<{ id: number }>`/* purposes.unknown-files */
    select id from unnest(${ids}::integer[]) as given (id)
    where not exists (select from file_attachment f where f.id = given.id) order by id`.execute(db);
  return rows.map((row) => row.id);
}

/** Makes the linked files exactly these; the purpose is touched when that changes anything. */
export async function replaceFiles(db: Executor, id: number, fileIds: readonly number[]): Promise<void> {
  await sql`/* purposes.replace-files */
    with removed as (
      delete from purpose_file_attachment
      where purpose_id = ${id} and file_attachment_id <> all(${fileIds}::integer[]) returning 1
    ), added as (
      insert into purpose_file_attachment (purpose_id, file_attachment_id)
      select distinct ${id}::integer, file_id from unnest(${fileIds}::integer[]) as given (file_id)
      on conflict do nothing returning 1
    )
    select touch_purposes(array[${id}::integer])
    where exists (select from removed) or exists (select from added)`.execute(db);
}
