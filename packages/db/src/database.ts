import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Tables } from './generated/tables.ts';
import { PreparingPool } from './prepared.ts';
import { RowBytesClient } from './row-bytes.ts';
import { plainTypes } from './types.ts';

export interface DatabaseOptions {
  readonly connectionString: string;
  readonly poolSize: number;
  /** 0 switches the limit off. */
  readonly statementTimeoutMs: number;
  readonly applicationName: string;
  /** A transaction that holds its locks without doing anything is ended after this time. */
  readonly idleInTransactionTimeoutMs?: number;
  /** How long a caller waits for a free connection. */
  readonly connectTimeoutMs?: number;
  /** Told of connections that broke while nobody used them; the pool replaces them by itself. */
  readonly onIdleError?: (error: Error) => void;
}

/** What queries take as their first argument: the database or a transaction of it. */
export type Executor = Kysely<Tables>;

/** The database: a query builder over a pool of connections. */
export class Database extends Kysely<Tables> {
  /** For what the query builder cannot do: streams, COPY, LISTEN. */
  readonly pool: pg.Pool;

  constructor(pool: pg.Pool) {
    super({ dialect: new PostgresDialect({ pool: new PreparingPool(pool) }) });
    this.pool = pool;
  }

  /** Waits for open queries, then closes every connection. */
  async close(): Promise<void> {
    await this.destroy();
    // The query builder does not end a pool that it never used.
    if (!this.pool.ending) await this.pool.end();
  }
}

/** Opens no connection yet: the first query does. */
export function openDatabase(options: DatabaseOptions): Database {
  const { connectionString, ownSettings } = withoutSettings(options.connectionString);
  const pool = new pg.Pool({
    Client: RowBytesClient,
    connectionString,
    application_name: options.applicationName,
    max: options.poolSize,
    // Prepared statements live as long as their connection: a quiet minute should not cost them.
    idleTimeoutMillis: 300_000,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
    keepAlive: true,
    types: plainTypes,
    options: `${ownSettings} ${settings({
      jit: 'off',
      // Workers for one query take the processors from other requests: four at a time on two processors, the worst
      // analytics had a p99 of 300 ms with them and 235 ms without.
      max_parallel_workers_per_gather: '0',
      timezone: 'UTC',
      datestyle: 'ISO',
      statement_timeout: `${options.statementTimeoutMs}`,
      idle_in_transaction_session_timeout: `${options.idleInTransactionTimeoutMs ?? 60_000}`,
    })}`,
  });
  pool.on('error', (error) => options.onIdleError?.(error));
  // A connection that breaks between two queries of a transaction tells it by an event; without a listener that would end
  // the process. The next query on it fails, which is where it is handled.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return new Database(pool);
}

function settings(values: Record<string, string>): string {
  return Object.entries(values)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ');
}

/** The driver lets settings of the connection string take the place of ours, where both are wanted. */
function withoutSettings(connectionString: string): { connectionString: string; ownSettings: string } {
  const [found, start = '', own = ''] = /([?&])options=([^&]*)&?/.exec(connectionString) ?? [];
  if (found === undefined) return { connectionString, ownSettings: '' };
  return {
    connectionString: connectionString.replace(found, start),
    ownSettings: decodeURIComponent(own.replaceAll('+', ' ')),
  };
}
