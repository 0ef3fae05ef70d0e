import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';

export type DemoEvent = 'added' | 'declined' | 'cleared';

/** Undefined: nothing was decided about a demonstration yet. */
export async function lastEvent(db: Executor): Promise<DemoEvent | undefined> {
  const { rows } = await sql<{ event: DemoEvent }>`/* demo.last-event */
    select event from demonstration order by id desc limit 1`.execute(db);
  return rows[0]?.event;
}

export async function recordEvent(db: Executor, event: DemoEvent): Promise<void> {
  await sql`/* demo.record-event */ insert into demonstration (event) values (${event})`.execute(db);
}

/** One at a time adds or clears; and the tree is changed by nobody else meanwhile, as everywhere. */
export async function lockDemo(tx: Executor): Promise<void> {
  await sql`/* demo.lock */ lock table demonstration, hierarchy in share row exclusive mode`.execute(tx);
}

/** Nobody ever entered anything: what people fill first has not given out an id yet. */
export async function isUntouched(db: Executor): Promise<boolean> {
  const { rows } = await sql<{ untouched: boolean }>`/* demo.untouched */
    select bool_and(pg_sequence_last_value(pg_get_serial_sequence(name, 'id')::regclass) is null) as untouched
    from unnest(array['purpose', 'hierarchy', 'supplier', 'service_type', 'file_attachment']) name`.execute(
    db,
  );
  return rows[0]?.untouched === true;
}
