import { Readable } from 'node:stream';
import type { CompiledQuery } from 'kysely';
import type pg from 'pg';
import Cursor from 'pg-cursor';

/** Rows in memory at a time. */
const BATCH = 500;

export interface StreamOptions {
  /** Ends the stream early: the reader has gone. */
  readonly signal?: AbortSignal;
  /** A reader that takes nothing for so long is given up, because its connection is one of few. */
  readonly stallMs?: number;
}

/**
 * Runs a query and gives its rows as a stream of batches, in one read-only transaction of its own without a time limit
 * for the statement: a slow reader must not lose the end. Resolves when the first batch is there, so that a query that
 * fails does so before anything was sent. However the stream ends, also unread, its connection is free again.
 */
export async function streamRows<Row>(
  pool: pg.Pool,
  query: CompiledQuery<Row>,
  { signal, stallMs = 60_000 }: StreamOptions = {},
): Promise<Readable> {
  const client = await pool.connect();
  try {
    signal?.throwIfAborted();
    await client.query('begin read only; set local statement_timeout = 0');
    const cursor = client.query(new Cursor<Row>(query.sql, [...query.parameters]));
    const first = await cursor.read(BATCH);
    signal?.throwIfAborted();
    const rows = new RowStream(client, cursor, first, stallMs);
    const leave = () => rows.destroy();
    signal?.addEventListener('abort', leave, { once: true });
    rows.once('close', () => signal?.removeEventListener('abort', leave));
    return rows;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

/** The connection is released when the stream is destroyed, whether or not anybody ever began to read it. */
class RowStream<Row> extends Readable {
  readonly #client: pg.PoolClient;
  readonly #cursor: Cursor<Row>;
  readonly #stallMs: number;
  #next: Row[] | undefined;
  #complete = false;
  #stall: NodeJS.Timeout | undefined;

  constructor(client: pg.PoolClient, cursor: Cursor<Row>, first: Row[], stallMs: number) {
    super({ objectMode: true, highWaterMark: 1 });
    this.#client = client;
    this.#cursor = cursor;
    this.#next = first;
    this.#stallMs = stallMs;
    this.#watchReader();
  }

  override _read(): void {
    clearTimeout(this.#stall);
    const waiting = this.#next;
    this.#next = undefined;
    (waiting ? Promise.resolve(waiting) : this.#cursor.read(BATCH))
      .then(async (batch) => {
        if (batch.length > 0) {
          this.#watchReader();
          this.push(batch);
          return;
        }
        await this.#cursor.close();
        await this.#client.query('commit');
        this.#complete = true;
        this.push(null);
      })
      .catch((error: unknown) => this.destroy(error instanceof Error ? error : new Error(String(error))));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#stall);
    // A half-read cursor is not worth saving: the connection goes with it.
    this.#client.release(!this.#complete);
    done(error);
  }

  #watchReader(): void {
    this.#stall = setTimeout(
      () => this.destroy(new Error(`the reader took nothing for ${this.#stallMs} ms`)),
      this.#stallMs,
    );
  }
}
