import type { CompiledQuery } from 'kysely';
import type pg from 'pg';
import Cursor from 'pg-cursor';

/** Rows in memory at a time. */
const BATCH = 500;

/**
 * Runs a query and gives its rows in batches, as they are asked for, in one read-only transaction of its own without a
 * time limit for the statement: a slow reader must not lose the end. A reader that stalls is ended by the limit for idle
 * transactions. Resolves when the first batch is there, so that a query that fails does so before anything was sent.
 */
export async function streamRows<Row>(
  pool: pg.Pool,
  query: CompiledQuery<Row>,
  signal?: AbortSignal,
): Promise<AsyncIterable<readonly Row[]>> {
  const client = await pool.connect();
  try {
    await client.query('begin read only; set local statement_timeout = 0');
    const cursor = client.query(new Cursor<Row>(query.sql, [...query.parameters]));
    return batchesOf(client, cursor, await cursor.read(BATCH), signal);
  } catch (error) {
    client.release(error instanceof Error ? error : true);
    throw error;
  }
}

async function* batchesOf<Row>(
  client: pg.PoolClient,
  cursor: Cursor<Row>,
  first: Row[],
  signal: AbortSignal | undefined,
): AsyncIterable<readonly Row[]> {
  let done = false;
  try {
    for (let batch = first; batch.length > 0; batch = await cursor.read(BATCH)) {
      if (signal?.aborted) {
        return;
      }
      yield batch;
    }
    await cursor.close();
    await client.query('commit');
    done = true;
  } finally {
    // A half-read cursor is not worth saving: the connection goes with it.
    client.release(!done);
  }
}
