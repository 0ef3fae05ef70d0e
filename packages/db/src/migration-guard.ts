import pg from 'pg';
import { pause } from './migration-session.ts';

/** How long others may wait behind a migration that waits itself. */
const PATIENCE_MS = 400;
const LOOK_MS = 100;

export interface Guard {
  /** Whether it has cut a statement of the migration off. */
  readonly intervened: () => boolean;
  end(): Promise<void>;
}

/**
 * Watches a session that migrates, from a second one. Its lock timeout bounds one wait; a migration that holds a lock
 * already and then waits again and again, a little each time, would hold others up for the sum. It is cut off, which
 * takes back all of it, and is tried again later.
 */
export async function guardOthers(connectionString: string, migrating: pg.Client): Promise<Guard> {
  const { rows } = await migrating.query<{ pid: number }>('select pg_backend_pid() as pid');
  const client = new pg.Client({ connectionString, application_name: 'calculaud db guard' });
  client.on('error', () => undefined);
  await client.connect();
  const ended = new AbortController();
  let intervened = false;
  const watch = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      const { rowCount } = await client.query(CANCEL_WHO_WAITS_AND_BLOCKS, [rows[0]?.pid, PATIENCE_MS]);
      intervened ||= rowCount === 1;
      await pause(LOOK_MS);
    }
  };
  // Without the guard the lock timeout still bounds each wait.
  const watched = watch().catch(() => undefined);
  return {
    intervened: () => intervened,
    end: async () => {
      ended.abort();
      await watched;
      await client.end();
    },
  };
}

const CANCEL_WHO_WAITS_AND_BLOCKS = `
  select pg_cancel_backend(mine.pid) from pg_locks mine
  where mine.pid = $1 and not mine.granted and exists (
    select from pg_locks theirs
    where not theirs.granted and theirs.pid <> mine.pid
      and theirs.waitstart < clock_timestamp() - $2 * interval '1 millisecond'
      and mine.pid = any (pg_blocking_pids(theirs.pid)))
  limit 1`;
