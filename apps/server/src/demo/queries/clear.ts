import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';
import type { DemoEntity } from './survey.ts';

/** Removes the rows with all that belongs to them. The contents of files go once that is committed. */
export async function removeRows(tx: Executor, entity: DemoEntity, ids: readonly number[]): Promise<void> {
  if (entity === 'file') {
    await sql`/* demo.remove-files */
      with gone as (delete from file_attachment where id = any(${ids}::integer[]) returning s3_key)
      insert into object_removal (s3_key, due_at) select s3_key, now() from gone
      on conflict (s3_key) do update set due_at = excluded.due_at`.execute(tx);
    return;
  }
  await sql`/* demo.remove-rows */
    delete from ${sql.table(entity)} where id = any(${ids}::integer[])`.execute(tx);
}
