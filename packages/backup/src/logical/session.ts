import { connectionFailure } from '@calculaud/db/connection-failure';
import pg from 'pg';
import { BackupProblem } from '../repository/problem.ts';

/**
 * How values become text: the same for every export, import and digest, whatever a server, database or role has as its
 * own default.
 */
const TEXT_SETTINGS = `
  set client_encoding = 'UTF8';
  set timezone = 'UTC';
  set datestyle = 'ISO, YMD';
  set intervalstyle = 'postgres';
  set extra_float_digits = 1;
  set bytea_output = 'hex';
  set xmloption = 'content';
  set search_path = public;
  set statement_timeout = 0;
  set idle_in_transaction_session_timeout = 0;
  set lock_timeout = '10s';
  set jit = off`;

interface SessionOptions {
  /** How the server names it to others. */
  readonly application: string;
  readonly signal?: AbortSignal | undefined;
}

/** Runs the work on a connection of its own, on which values are written as every export writes them. */
export async function withTextSession<T>(
  connectionString: string,
  { application, signal }: SessionOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString, application_name: application, keepAlive: true });
  // A connection that breaks fails the query in progress; without a listener it would end the process.
  client.on('error', () => undefined);
  return explained(signal, async () => {
    try {
      await client.connect();
      return await endedBy(client, signal, async () => {
        await writeTextAlike(client);
        return work(client);
      });
    } finally {
      await client.end().catch(() => undefined);
    }
  });
}

/** What fails is told as the kind of trouble that it is; whoever gave the work up gets his own reason back. */
export async function explained<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  signal?.throwIfAborted();
  try {
    return await work();
  } catch (error) {
    signal?.throwIfAborted();
    throw databaseProblem(error);
  }
}

export async function writeTextAlike(client: pg.ClientBase): Promise<void> {
  await client.query(TEXT_SETTINGS);
}

/** The server rolls back what a connection did that ends in the middle. */
export async function endedBy<T>(
  client: pg.Client,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const end = (): void => void client.end().catch(() => undefined);
  signal?.addEventListener('abort', end, { once: true });
  try {
    signal?.throwIfAborted();
    return await work();
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

const LOCK_NOT_AVAILABLE = '55P03';
/** SQLSTATE classes: a value that its type does not bear, a row that breaks a rule. */
const OF_DATA: readonly (string | undefined)[] = ['22', '23'];

/** What the server says, or that it says nothing; anything else stays as it is. */
function databaseProblem(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return connectionProblem(error);
  const { code, message, table, where } = error;
  const about = { cause: error, ...(table === undefined ? {} : { object: table }) };
  if (code === LOCK_NOT_AVAILABLE) {
    return new BackupProblem(
      'busy',
      `Others work on this database and hold what is needed: ${message}. No rows were changed. Stop them, or wait until they are done, and run this again.`,
      about,
    );
  }
  if (OF_DATA.includes(code?.slice(0, 2))) {
    const place = where === undefined ? '' : ` (${where.split('\n')[0]})`;
    return new BackupProblem(
      'corrupt',
      `Rows break a rule of the database: ${message}${place}. No rows were changed. Mend them where the export came from and export again, or use another export.`,
      about,
    );
  }
  return new BackupProblem(
    'unavailable',
    `The server refuses: ${message}. No rows were changed. Look at its log and at the privileges of the role, and run this again.`,
    about,
  );
}

function connectionProblem(error: unknown): unknown {
  const words = connectionFailure(error) ?? brokenConnection(error);
  if (words === undefined) return error;
  return new BackupProblem(
    'unavailable',
    `The database cannot be used: ${words}. No rows were changed. Look at DATABASE_URL and whether the server runs.`,
    { cause: error },
  );
}

function brokenConnection(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const ofSystem = 'code' in error && ['ECONNRESET', 'EPIPE'].includes(String(error.code));
  // What `pg` says when the server is gone.
  const ofClient = /^Connection terminated|^Client (?:was closed|has encountered)/.test(error.message);
  return ofSystem || ofClient ? error.message : undefined;
}
