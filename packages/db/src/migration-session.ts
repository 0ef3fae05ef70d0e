import pg from 'pg';

export type Log = (line: string) => void;

/** Any number that nobody else uses for an advisory lock of this database. */
const LOCK = '7214061985211093';
const LOOK_AGAIN_MS = 200;

export interface SessionOptions {
  readonly connectionString: string;
  readonly log: Log;
  readonly lockTimeoutMs: number;
}

/**
 * Runs the work on a connection of its own, alone: whoever comes second waits until the first is done.
 * Waiting asks again and again instead of blocking in the lock: a blocked statement holds a snapshot, which
 * `create index concurrently` of the first would wait for, forever.
 */
export async function aloneOnDatabase<Result>(
  options: SessionOptions,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({
    connectionString: options.connectionString,
    application_name: 'calculaud db',
    keepAlive: true,
  });
  // A connection that breaks fails the query in progress; without a listener it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(`
      set statement_timeout = 0;
      set idle_in_transaction_session_timeout = 0;
      set lock_timeout = ${Math.round(options.lockTimeoutMs)};
      set timezone = 'UTC';
      set datestyle = 'ISO';
      set client_min_messages = warning;
      set search_path = public`);
    await waitForLock(client, options.log);
    return await work(client);
  } finally {
    await client.end();
  }
}

async function waitForLock(client: pg.Client, log: Log): Promise<void> {
  for (let announced = false; ; announced = true) {
    const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
      LOCK,
    ]);
    if (rows[0]?.locked === true) return;
    if (!announced) log('Another process migrates this database; waiting until it is done.');
    await pause(LOOK_AGAIN_MS);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function inTransaction<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin');
  try {
    const result = await work();
    await client.query('commit');
    return result;
  } catch (error) {
    // When the connection is gone the server has rolled back already; the first error is the one to tell.
    await client.query('rollback').catch(() => undefined);
    throw error;
  }
}
