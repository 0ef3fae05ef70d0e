import type pg from 'pg';
import type { Log } from '../migration-session.ts';
import { TABLE_NAMES } from './predecessor.ts';

/** So small that its stages are looked up; a batch of 5000 went through all of them, several times. */
const BATCH = 1000;
const TELL_EVERY = 10_000;

/** Triggers would count these changes as edits: raise versions, touch purposes, write audit entries. */
const TOUCHED = ['hierarchy', 'purpose', 'purchase', 'stage'];

/** Works out, for all rows that were taken over, what triggers keep up to date from now on. */
export async function deriveColumns(client: pg.ClientBase, log: Log): Promise<void> {
  // So that the plans of what follows know how many rows there are.
  await client.query(`analyze ${TABLE_NAMES.join(', ')}`);
  await client.query(TOUCHED.map((table) => `alter table ${table} disable trigger user`).join('; '));
  await withoutIndexes(client, async () => {
    await refreshPaths(client, log);
    await client.query(STATUS_TIMES);
    await refreshProgress(client, log);
  });
  await client.query(TOUCHED.map((table) => `alter table ${table} enable trigger user`).join('; '));
}

/**
 * A new version of a row is entered into every index again, and into those of texts slowly. So all go, but for those that
 * the work itself looks things up in, and are made anew afterwards, as they were.
 */
async function withoutIndexes(client: pg.ClientBase, work: () => Promise<void>): Promise<void> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
     from pg_index i
     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
     where i.indrelid = any($1::regclass[]) and a.attname not in ('purpose_id', 'purchase_id')
       and not exists (select from pg_constraint n where n.conindid = i.indexrelid)
     order by 1`,
    [TOUCHED],
  );
  for (const { name } of rows) await client.query(`drop index ${name}`);
  await work();
  for (const { definition } of rows) await client.query(definition);
}

async function refreshProgress(client: pg.ClientBase, log: Log): Promise<void> {
  let last = 0;
  for (let done = 0; ; ) {
    const { rows } = await client.query<{ last: number | null; ids: number[]; count: number }>(
      `select max(id) as last, coalesce(array_agg(id), '{}') as ids, count(*)::int as count
       from (select id from purpose where id > $1 order by id limit ${BATCH}) next`,
      [last],
    );
    const [batch] = rows;
    if (batch === undefined || batch.last === null) return;
    await client.query('select refresh_progress($1)', [batch.ids]);
    await client.query(READY, [batch.ids]);
    last = batch.last;
    done += batch.count;
    if (done % TELL_EVERY === 0 || batch.count < BATCH)
      log(`Worked out who waits for whom: ${done} purposes.`);
  }
}

/**
 * When the pending stages of the present level became ready: on the day the level before was completed, or with the
 * purchase. (The present time, which the function above puts in, is what is right for edits.)
 */
const READY = `
  update stage s
  set ready_at = coalesce(p.waiting_since::timestamp at time zone 'UTC', p.creation_date)
  from purchase p
  where p.purpose_id = any($1) and s.purchase_id = p.id and s.priority = p.current_priority and s.completion_date is null`;

/** The last change to the present status; unknown where the history does not tell. */
const STATUS_TIMES = `
  update purpose o
  set current_status_changed_at = h.at
  from (
    select purpose_id, new_status, max(changed_at) as at from purpose_status_history group by purpose_id, new_status
  ) h
  where h.purpose_id = o.id and h.new_status = o.status`;

async function refreshPaths(client: pg.ClientBase, log: Log): Promise<void> {
  const { rows } = await client.query<{ id: number }>(`
    with recursive tree as (
      select id, name::text as path from hierarchy where parent_id is null
      union all
      select h.id, tree.path || ' / ' || h.name from tree join hierarchy h on h.parent_id = tree.id
    )
    update hierarchy h set path = tree.path from tree where tree.id = h.id and h.path <> tree.path
    returning h.id`);
  if (rows.length === 0) return;
  const ids = rows.map(({ id }) => id).toSorted((one, other) => one - other);
  log(
    `Wrote the paths of ${ids.length} nodes of the organisation anew, which were out of date: ${ids.slice(0, 100).join(', ')}.`,
  );
}
