import { type RawBuilder, sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';
import type { Page } from '../platform/paging.ts';
import { all, containing, jsonArray } from '../platform/sql.ts';
import { fileAttachmentJson, fileDownloadJson, type FileLinks } from './shapes.ts';

export interface FileFilters {
  readonly search?: string | undefined;
  readonly is_linked?: boolean | undefined;
}

export async function listFiles(
  db: Executor,
  { search, is_linked }: FileFilters,
  page: Page,
  links: FileLinks,
): Promise<{ items: string; total: number }> {
  const used = sql`(exists (select from purpose_file_attachment l where l.file_attachment_id = f.id)
    or exists (select from supplier s where s.file_icon_id = f.id))`;
  const matches = all([
    ...(search ? [sql`f.original_filename ilike ${containing(search)}`] : []),
    ...(is_linked === undefined ? [] : [is_linked ? used : sql`not ${used}`]),
  ]);
  const rows = sql`
    select ${fileAttachmentJson('f', links)} as json from file_attachment f where ${matches}
    order by f.id desc limit ${page.limit} offset ${page.offset}`;
  const { rows: results } = await sql<{ items: string; total: number }>`/* files.list */
    select ${jsonArray(rows)} as items,
      (select count(*)::integer from file_attachment f where ${matches}) as total`.execute(db);
  return results[0] ?? { items: '[]', total: 0 };
}

export async function getAttachment(db: Executor, id: number, links: FileLinks): Promise<string | undefined> {
  return one(db, id, fileAttachmentJson('f', links));
}

export async function getDownload(
  db: Executor,
  id: number,
  links: FileLinks,
  expiresIn: number,
): Promise<string | undefined> {
  return one(db, id, fileDownloadJson('f', links, expiresIn));
}

async function one(db: Executor, id: number, json: RawBuilder<unknown>): Promise<string | undefined> {
  const { rows } = await sql<{ json: string }>`/* files.get */
    select ${json}::text as json from file_attachment f where f.id = ${id}`.execute(db);
  return rows[0]?.json;
}

export interface StoredFile {
  readonly original_filename: string;
  readonly mime_type: string;
  readonly file_size: number;
  readonly s3_key: string;
}

export async function findFile(db: Executor, id: number): Promise<StoredFile | undefined> {
  const { rows } = await sql<StoredFile>`/* files.find */
    select original_filename, mime_type, file_size, s3_key from file_attachment where id = ${id}`.execute(db);
  return rows[0];
}

export async function insertFile(tx: Executor, file: StoredFile): Promise<number> {
  const { rows } = await sql<{ id: number }>`/* files.insert */
    insert into file_attachment (original_filename, mime_type, file_size, s3_key)
    values (${file.original_filename}, ${file.mime_type}, ${file.file_size}, ${file.s3_key})
    returning id`.execute(tx);
  const [inserted] = rows;
  if (!inserted) throw new Error('insert into file_attachment returned no row');
  return inserted.id;
}

/** Deletes the row, and has the object removed once that is committed. False: there was no such file. */
export async function deleteFile(tx: Executor, id: number): Promise<boolean> {
  const { numAffectedRows } = await sql`/* files.delete */
    with gone as (delete from file_attachment where id = ${id} returning s3_key)
    insert into object_removal (s3_key, due_at) select s3_key, now() from gone
    on conflict (s3_key) do update set due_at = excluded.due_at`.execute(tx);
  return numAffectedRows === 1n;
}

export async function suppliersWithIcon(db: Executor, id: number): Promise<number> {
  const { rows } = await sql<{ count: number }>`/* files.suppliers */
    select count(*)::integer as count from supplier where file_icon_id = ${id}`.execute(db);
  return rows[0]?.count ?? 0;
}

/** The version of the purpose, without waiting for whoever edits it. */
export async function purposeVersion(db: Executor, id: number): Promise<number | undefined> {
  const { rows } = await sql<{ version: number }>`/* files.purpose */
    select version from purpose where id = ${id}`.execute(db);
  return rows[0]?.version;
}

export interface LockedPurpose {
  readonly id: number;
  readonly version: number;
}

/** Locks the purpose, if given, and those that show the file, in the order in which everybody locks them. */
export async function lockPurposes(
  tx: Executor,
  { purposeId, fileId }: { readonly purposeId?: number; readonly fileId?: number },
): Promise<LockedPurpose[]> {
  const { rows } = await sql<LockedPurpose>`/* files.lock_purposes */
    select id, version from purpose
    where id = ${purposeId ?? null}::integer or id in (
      select purpose_id from purpose_file_attachment where file_attachment_id = ${fileId ?? null}::integer
    )
    order by id for no key update`.execute(tx);
  return rows;
}

/** Locks the file, so that nobody links it meanwhile, and tells who uses it. */
export async function lockUses(
  tx: Executor,
  id: number,
): Promise<{ readonly purposes: readonly number[]; readonly icon: boolean }> {
  await sql`/* files.lock */ select from file_attachment where id = ${id} for update`.execute(tx);
  const { rows } = await sql<{ purposes: number[]; icon: boolean }>`/* files.uses */
    select array(select purpose_id from purpose_file_attachment where file_attachment_id = ${id}) as purposes,
      exists (select from supplier where file_icon_id = ${id}) as icon`.execute(tx);
  return rows[0] ?? { purposes: [], icon: false };
}

/** Locks the files of the purpose, so that nobody links them meanwhile. */
export async function lockFilesOf(tx: Executor, purposeId: number): Promise<readonly number[]> {
  const { rows } = await sql<{ id: number }>`/* files.lock_of_purpose */
    select id from file_attachment
    where id in (select file_attachment_id from purpose_file_attachment where purpose_id = ${purposeId})
    order by id for update`.execute(tx);
  return rows.map(({ id }) => id);
}

/** Deletes those of the files that nothing but the purpose uses. A statement of its own: it sees who linked them before. */
export async function deleteUnusedBeside(
  tx: Executor,
  purposeId: number,
  ids: readonly number[],
): Promise<void> {
  await sql`/* files.delete_unused_beside */
    with gone as (
      delete from file_attachment f
      where id = any(${ids}::integer[])
        and not exists (select from purpose_file_attachment l where l.file_attachment_id = f.id and l.purpose_id <> ${purposeId})
        and not exists (select from supplier s where s.file_icon_id = f.id)
      returning s3_key
    )
    insert into object_removal (s3_key, due_at) select s3_key, now() from gone
    on conflict (s3_key) do update set due_at = excluded.due_at`.execute(tx);
}

export async function linkFile(tx: Executor, purposeId: number, id: number): Promise<void> {
  await sql`/* files.link */ insert into purpose_file_attachment (purpose_id, file_attachment_id)
    values (${purposeId}, ${id})`.execute(tx);
}

export async function unlinkFile(tx: Executor, purposeId: number, id: number): Promise<void> {
  await sql`/* files.unlink */ delete from purpose_file_attachment
    where purpose_id = ${purposeId} and file_attachment_id = ${id}`.execute(tx);
}

/** The purpose was changed by a person: its last modification and its version say so. */
export async function touchPurpose(tx: Executor, id: number): Promise<void> {
  await sql`/* files.touch */ select touch_purposes(array[${id}::integer])`.execute(tx);
}

/** What is shown of the purposes is another, though nobody edited them: their versions alone rise. */
export async function raiseVersions(tx: Executor, ids: readonly number[]): Promise<void> {
  await sql`/* files.raise_versions */
    update purpose set version = version + 1, version_transaction = this_transaction()
    where id = any(${ids}::integer[]) and version_transaction is distinct from this_transaction()`.execute(
    tx,
  );
}

/** Before an object is stored: unless a file owns it by then, it shall go after this time. */
export async function announceObject(db: Executor, key: string, hours: number): Promise<void> {
  await sql`/* files.announce */ insert into object_removal (s3_key, due_at)
    values (${key}, now() + make_interval(hours => ${hours}))`.execute(db);
}

/** The object belongs to a file from now on. False: it took too long and is being removed. */
export async function keepObject(tx: Executor, key: string): Promise<boolean> {
  const { numAffectedRows } = await sql`/* files.keep */
    delete from object_removal where s3_key = ${key} and due_at > now() + interval '1 hour'`.execute(tx);
  return numAffectedRows === 1n;
}

/**
 * Whether no file owns the object. Waits for a transaction that may be about to give it one, so that the answer holds
 * even when the outcome of that transaction never reached us.
 */
export async function isUnowned(db: Executor, key: string): Promise<boolean> {
  const { rows } = await sql`/* files.is_unowned */
    select from object_removal where s3_key = ${key} for update`.execute(db);
  return rows.length === 1;
}

/**
 * Each waits until every repository of backups has what was there until it fell due. One that was not heard of for 14 days,
 * as long as a moment of the past can be restored, is waited for no longer.
 */
export async function dueObjects(db: Executor, limit: number): Promise<string[]> {
  const { rows } = await sql<{ s3_key: string }>`/* files.due_objects */
    select s3_key from object_removal o
    where due_at <= now() and not exists (select from file_attachment f where f.s3_key = o.s3_key)
      and not exists (
        select from backup_watermark w
        where w.attached_until <= o.due_at and w.seen_at > now() - interval '14 days'
      )
    order by due_at limit ${limit}`.execute(db);
  return rows.map((row) => row.s3_key);
}

export async function forgetObject(db: Executor, key: string): Promise<void> {
  await sql`/* files.forget */ delete from object_removal where s3_key = ${key} and due_at <= now()`.execute(
    db,
  );
}

export async function postponeObject(db: Executor, key: string, minutes: number): Promise<void> {
  await sql`/* files.postpone */ update object_removal set due_at = now() + make_interval(mins => ${minutes})
    where s3_key = ${key}`.execute(db);
}
