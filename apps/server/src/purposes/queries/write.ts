import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';
import type { Status, TypedService } from '../rules.ts';

export interface PurposeValues {
  readonly description?: string | null | undefined;
  readonly comments?: string | null | undefined;
  readonly status?: Status | undefined;
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

export interface LockedPurpose {
  readonly version: number;
  readonly status: Status;
  readonly service_type_id: number | null;
}

/** Locks the purpose for an edit of it or of what belongs to it. */
export async function lockPurpose(db: Executor, id: number): Promise<LockedPurpose | undefined> {
  const { rows } = await sql<LockedPurpose>`/* purposes.lock */
    select version, status, service_type_id from purpose where id = ${id} for no key update`.execute(db);
  return rows[0];
}

/** Under the lock of the purpose; a statement of its own, so that it sees what others did before. */
export async function pendingStages(db: Executor, id: number): Promise<number> {
  const { rows } = await sql<{ pending: number }>`/* purposes.pending-stages */
    select count(*)::integer as pending from stage s join purchase p on p.id = s.purchase_id
    where p.purpose_id = ${id} and s.completion_date is null`.execute(db);
  return rows[0]?.pending ?? 0;
}

export async function serviceTypeOf(
  db: Executor,
  id: number,
): Promise<{ id: number; name: string } | undefined> {
  const { rows } = await sql<{ id: number; name: string }>`/* purposes.service-type */
    select t.id, t.name from purpose o join service_type t on t.id = o.service_type_id
    where o.id = ${id}`.execute(db);
  return rows[0];
}

/** The services of the contents, locked: none of them gets another type meanwhile. */
export async function lockServicesOf(db: Executor, id: number): Promise<readonly TypedService[]> {
  const { rows } = await sql<TypedService>`/* purposes.lock-services */
    select s.name, s.service_type_id from purpose_content c join service s on s.id = c.service_id
    where c.purpose_id = ${id} order by c.id for share of s`.execute(db);
  return rows;
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
