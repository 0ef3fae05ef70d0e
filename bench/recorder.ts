import { loadConfig } from '@calculaud/config/load';
import { type Database, openDatabase } from '@calculaud/db/database';
import { buildApp } from '@calculaud/server/app';
import { openStorage } from '@calculaud/server/platform/storage';
import type { Request } from './client.ts';

export interface Statement {
  readonly query: { readonly name?: string; readonly text: string; readonly values: readonly unknown[] };
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly rowCount: number | null;
}

/**
 * What the server asks its database for a request: found out by sending the request to the same application in this
 * process and listening to its connections, so that the bare SQL is the server's own, to the last parameter.
 */
export interface Recorder {
  statementsOf(request: Request): Promise<readonly Statement[]>;
  close(): Promise<void>;
}

export async function openRecorder(dataDirectory: string, connectionString: string): Promise<Recorder> {
  const config = loadConfig({ LOG_LEVEL: 'silent', CALCULAUD_DATA: dataDirectory });
  const db = openDatabase({
    connectionString,
    poolSize: 1,
    statementTimeoutMs: 0,
    applicationName: 'calculaud bench recorder',
  });
  const heard: Promise<Statement>[] = [];
  listen(db, (statement) => heard.push(statement));
  const principal = await db
    .selectFrom('principal')
    .select(['id', 'name'])
    .limit(1)
    .executeTakeFirstOrThrow();
  const storage = await openStorage(config.files.store);
  return {
    statementsOf: async ({ method, path, body }) => {
      // Another one for each request: it keeps what it answered, and would ask for less the next time.
      const app = await buildApp({
        config,
        db,
        storage,
        // Who sends it is known: sign-in is remembered by the server and costs no statement for most requests.
        authenticate: async () => ({ ...principal, permits: () => true }),
      });
      heard.length = 0;
      const answer = await app.inject({
        method,
        url: path,
        ...(body === undefined ? {} : { payload: body, headers: { 'content-type': 'application/json' } }),
      });
      await app.close();
      if (answer.statusCode !== 200 && answer.statusCode !== 201) {
        throw new Error(`${method} ${path} answered ${answer.statusCode}: ${answer.body}`);
      }
      return Promise.all(heard);
    },
    close: async () => db.close(),
  };
}

function listen(db: Database, hear: (statement: Promise<Statement>) => void): void {
  db.pool.on('connect', (client) => {
    const query: (...args: unknown[]) => unknown = client.query.bind(client);
    Object.assign(client, {
      query: (...args: unknown[]) => {
        const answer = query(...args);
        hear(statementOf(queryOf(args), answer));
        return answer;
      },
    });
  });
}

async function statementOf(query: Statement['query'], answer: unknown): Promise<Statement> {
  const result = await answer;
  if (!isResult(result)) {
    throw new Error(`no result of a statement was heard: ${query.text}`);
  }
  return { query, rows: result.rows, rowCount: result.rowCount };
}

function queryOf([first, values]: readonly unknown[]): Statement['query'] {
  if (typeof first === 'string') {
    return { text: first, values: Array.isArray(values) ? values : [] };
  }
  if (isQuery(first)) {
    return first;
  }
  throw new Error('a statement was heard that is neither text nor a prepared one');
}

function isQuery(value: unknown): value is Statement['query'] {
  return typeof value === 'object' && value !== null && 'text' in value && 'values' in value;
}

function isResult(value: unknown): value is Pick<Statement, 'rows' | 'rowCount'> {
  return typeof value === 'object' && value !== null && 'rows' in value && 'rowCount' in value;
}
