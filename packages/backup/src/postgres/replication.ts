import pg from 'pg';
import { z } from 'zod';
import { BackupProblem } from '../repository/problem.ts';

/** A connection that speaks the replication protocol (protocol-replication in PostgreSQL's manual), over `pg`. */

const identity = z.object({ systemid: z.string(), timeline: z.coerce.number().int(), xlogpos: z.string() });
const slotRow = z.object({ slot_type: z.string().nullable(), restart_lsn: z.string().nullable() });
const historyRow = z.object({ content: z.union([z.string(), z.instanceof(Buffer)]) });

export interface Identity {
  readonly systemId: string;
  readonly timeline: number;
  /** Up to where the server has flushed. */
  readonly flushedLsn: string;
}

/** Rejects with 'unavailable', in the words of the server. `name`: as the server knows it among its standbys. */
export async function connectForReplication(
  connectionString: string,
  name = 'calculaud backup',
): Promise<pg.Client> {
  const url = new URL(connectionString);
  url.searchParams.set('replication', 'true');
  url.searchParams.set('application_name', name);
  const client = new pg.Client({
    connectionString: url.href,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // Whoever runs a command on it hears of a broken connection there.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const detail = error instanceof pg.DatabaseError ? error.detail : undefined;
    const words = detail === undefined ? said : `${said} (${detail.replace(/\.$/, '')})`;
    throw new BackupProblem('unavailable', `The database cannot be reached for a backup: ${words}.`, {
      cause: error,
    });
  }
  return client;
}

export async function identify(client: pg.Client): Promise<Identity> {
  const { rows } = await client.query('IDENTIFY_SYSTEM');
  const { systemid, timeline, xlogpos } = identity.parse(rows[0]);
  return { systemId: systemid, timeline, flushedLsn: xlogpos };
}

/** From where on a slot keeps the log; null when it keeps nothing, as one that the server had to give up. */
export async function readSlot(
  client: pg.Client,
  slot: string,
): Promise<{ readonly exists: boolean; readonly lsn: string | null }> {
  const { rows } = await client.query(`READ_REPLICATION_SLOT ${named(slot)}`);
  const { slot_type: type, restart_lsn: lsn } = slotRow.parse(rows[0]);
  return { exists: type !== null, lsn };
}

export async function createSlot(client: pg.Client, slot: string): Promise<void> {
  await client.query(`CREATE_REPLICATION_SLOT ${named(slot)} PHYSICAL RESERVE_WAL`);
}

export async function dropSlot(client: pg.Client, slot: string): Promise<void> {
  await client.query(`DROP_REPLICATION_SLOT ${named(slot)}`);
}

export async function timelineHistory(client: pg.Client, timeline: number): Promise<Buffer> {
  const { rows } = await client.query(`TIMELINE_HISTORY ${timeline}`);
  const { content } = historyRow.parse(rows[0]);
  return Buffer.from(content);
}

/** The protocol takes no parameters. */
export function named(slot: string): string {
  if (!/^[a-z0-9_]{1,63}$/.test(slot)) throw new Error(`not a name of a slot: ${slot}`);
  return slot;
}

const PAUSE_ABOVE = 4 * 1024 * 1024;
const RESUME_BELOW = 1024 * 1024;

export interface BothWays {
  /** The server has begun to stream; from now on messages are sent, too. */
  readonly onStart: () => void;
}

/**
 * A command that answers with a stream of messages. Whoever reads them sets the pace: the socket is not read while some MiB
 * wait. Rows that come before and after the stream are kept.
 */
export class CopyStream implements pg.Submittable {
  readonly rows: (string | null)[][] = [];
  readonly #text: string;
  readonly #bothWays: BothWays | undefined;
  readonly #waiting: Buffer[] = [];
  #bytes = 0;
  #connection: pg.Connection | undefined;
  #paused = false;
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(text: string, bothWays?: BothWays) {
    this.#text = text;
    this.#bothWays = bothWays;
  }

  submit(connection: pg.Connection): void {
    this.#connection = connection;
    if (this.#bothWays) {
      connection.on('replicationStart', this.#bothWays.onStart);
      connection.on('copyDone', this.#answerEnd);
    }
    connection.query(this.#text);
  }

  /** Sends a message the other way. */
  send(message: Buffer): void {
    if (!this.#ended) this.#call('sendCopyFromChunk', message);
  }

  readonly #answerEnd = (): void => this.#call('endCopyFrom');

  /** What the types of `pg` leave out. */
  #call(method: 'sendCopyFromChunk' | 'endCopyFrom', ...values: readonly Buffer[]): void {
    const connection = this.#connection;
    if (!connection) return;
    const found: unknown = Reflect.get(connection, method);
    if (typeof found !== 'function') throw new Error(`this version of pg has no ${method}`);
    Reflect.apply(found, connection, values);
  }

  /** To be read once. Rejects with what the server said, or with 'unavailable' when the connection ended. */
  async *messages(): AsyncGenerator<Buffer> {
    for (;;) {
      const message = this.#waiting.shift();
      if (message) {
        this.#bytes -= message.length;
        if (this.#paused && this.#bytes < RESUME_BELOW) {
          this.#paused = false;
          this.#connection?.stream.resume();
        }
        yield message;
        continue;
      }
      if (this.#error) throw this.#error;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  // What `pg` calls as the answer comes in.
  handleRowDescription(): void {}
  handleDataRow({ fields }: { readonly fields: (string | null)[] }): void {
    this.rows.push(fields);
  }
  handleCommandComplete(): void {}
  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}
  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    // The parser reuses its buffer.
    const message = Buffer.from(chunk);
    this.#waiting.push(message);
    this.#bytes += message.length;
    if (!this.#paused && this.#bytes > PAUSE_ABOVE) {
      this.#paused = true;
      this.#connection?.stream.pause();
    }
    this.#wake();
  }
  handleReadyForQuery(): void {
    this.#end();
  }
  handleError(error: Error): void {
    this.#error ??=
      error instanceof pg.DatabaseError
        ? error
        : new BackupProblem('unavailable', `The connection to the database ended: ${error.message}.`, {
            cause: error,
          });
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    // The connection serves others after us.
    if (this.#bothWays) this.#connection?.off('replicationStart', this.#bothWays.onStart);
    this.#connection?.off('copyDone', this.#answerEnd);
    this.#wake();
  }
}
