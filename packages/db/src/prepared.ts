import { createHash } from 'node:crypto';
import type { PostgresCursor, PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import pg from 'pg';

/** Each named statement keeps its plan on every connection, so their number is limited; the rest go unnamed. */
const MAXIMUM_NAMES = 300;
/** PostgreSQL cuts names at 63 bytes. */
const MAXIMUM_WORDS = 40;

/**
 * Gives a name to statements whose text starts with a comment, so that they are parsed once per connection.
 * `generation` makes new names after a migration changed what a statement returns.
 */
export class StatementNames {
  readonly #names = new Map<string, string>();
  #generation = 0;

  nameOf(text: string): string | undefined {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const comment = /^\s*\/\*\s*([\w .:-]+?)\s*\*\//.exec(text)?.[1];
    if (comment === undefined || this.#names.size >= MAXIMUM_NAMES) return undefined;
    const hash = createHash('sha256').update(`${this.#generation} ${text}`).digest('hex').slice(0, 12);
    const name = `${comment.slice(0, MAXIMUM_WORDS)} ${hash}`;
    this.#names.set(text, name);
    return name;
  }

  /** From now on the statement goes under another name. */
  rename(text: string): void {
    this.#names.delete(text);
    this.#generation += 1;
  }
}

/** The pool as the query builder sees it. */
export class PreparingPool implements PostgresPool {
  readonly #pool: pg.Pool;
  readonly #names = new StatementNames();
  readonly #clients = new WeakMap<pg.PoolClient, PreparingClient>();

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async connect(): Promise<PostgresPoolClient> {
    const client = await this.#pool.connect();
    let preparing = this.#clients.get(client);
    if (preparing === undefined) {
      preparing = new PreparingClient(client, this.#names);
      this.#clients.set(client, preparing);
    }
    return preparing;
  }

  end(): Promise<void> {
    return this.#pool.end();
  }
}

class PreparingClient implements PostgresPoolClient {
  readonly #client: pg.PoolClient;
  readonly #names: StatementNames;

  constructor(client: pg.PoolClient, names: StatementNames) {
    this.#client = client;
    this.#names = names;
  }

  query<R>(text: string, values: readonly unknown[]): Promise<PostgresQueryResult<R>>;
  query<R>(cursor: PostgresCursor<R>): PostgresCursor<R>;
  query(query: string | PostgresCursor<unknown>, values: readonly unknown[] = []): unknown {
    if (typeof query !== 'string') throw new Error('Cursors go through Database.pool.');
    return this.#run(query, [...values]);
  }

  release(): void {
    this.#client.release();
  }

  async #run(text: string, values: unknown[]): Promise<pg.QueryResult> {
    const name = this.#names.nameOf(text);
    if (name === undefined) return this.#client.query(text, values);
    try {
      return await this.#client.query({ name, text, values });
    } catch (stale) {
      if (!isStalePlan(stale)) throw stale;
      this.#names.rename(text);
      try {
        return await this.#client.query({ name: this.#names.nameOf(text), text, values });
      } catch (error) {
        // Inside a transaction nothing more can be done; transaction() starts again.
        throw error instanceof pg.DatabaseError && error.code === '25P02' ? stale : error;
      }
    }
  }
}

/** A migration changed the columns that a prepared statement returns while its connection was open. */
export function isStalePlan(error: unknown): boolean {
  return (
    error instanceof pg.DatabaseError && error.code === '0A000' && error.routine === 'RevalidateCachedQuery'
  );
}
