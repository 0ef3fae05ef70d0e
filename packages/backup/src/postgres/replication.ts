import pg from 'pg';
import { z } from 'zod';
import { BackupProblem } from '../repository/problem.ts';

/** A connection that speaks the replication protocol (protocol-replication in PostgreSQL's manual), over `pg`. */

const identity = z.object({ systemid: z.string(), timeline: z.coerce.number().int(), xlogpos: z.string() });
const slotRow = z.object({
  slot_type: z.string().nullable(),
  restart_lsn: z.string().nullable(),
  restart_tli: z.coerce.number().int().nullable(),
});
const historyRow = z.object({ filename: z.string(), content: z.union([z.string(), z.instanceof(Buffer)]) });

export interface Identity {
  readonly systemId: string;
  readonly timeline: number;
  /** Up to where the server has flushed. */
  readonly flushedLsn: string;
}

export async function connectForReplication(connectionString: string): Promise<pg.Client> {
  const url = new URL(connectionString);
  url.searchParams.set('replication', 'true');
  url.searchParams.set('application_name', 'calculaud backup');
  const client = new pg.Client({
    connectionString: url.href,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  });
  // Whoever runs a command on it hears of a broken connection there.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    throw unavailable(error);
  }
  return client;
}

export function unavailable(error: unknown): BackupProblem {
  const words = error instanceof Error ? error.message : String(error);
  return new BackupProblem('unavailable', `The database cannot be reached for a backup: ${words}.`, {
    cause: error,
  });
}

export async function identify(client: pg.Client): Promise<Identity> {
  const { rows } = await client.query('IDENTIFY_SYSTEM');
  const { systemid, timeline, xlogpos } = identity.parse(rows[0]);
  return { systemId: systemid, timeline, flushedLsn: xlogpos };
}

/** Where a slot begins; null when there is no such slot, or when it has reserved nothing. */
export async function slotStart(
  client: pg.Client,
  slot: string,
): Promise<{ readonly exists: boolean; readonly lsn: string | null; readonly timeline: number | null }> {
  const { rows } = await client.query(`READ_REPLICATION_SLOT ${named(slot)}`);
  const { slot_type: type, restart_lsn: lsn, restart_tli: timeline } = slotRow.parse(rows[0]);
  return { exists: type !== null, lsn, timeline };
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

/**
 * A command that answers with a stream of messages. Whoever reads them sets the pace: the socket is not read while some MiB
 * wait. Rows that come before and after the stream are kept.
 */
export class CopyStream implements pg.Submittable {
  readonly rows: (string | null)[][] = [];
  readonly #text: string;
  readonly #both: boolean;
  readonly #waiting: Buffer[] = [];
  #bytes = 0;
  #connection: pg.Connection | undefined;
  #paused = false;
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => undefined;

  /** `both`: messages are sent, too, and the end of the stream is answered with ours. */
  constructor(text: string, { both = false } = {}) {
    this.#text = text;
    this.#both = both;
  }

  submit(connection: pg.Connection): void {
    this.#connection = connection;
    if (this.#both) connection.once('copyDone', () => this.#call('endCopyFrom'));
    connection.query(this.#text);
  }

  /** Sends a message the other way, where the command is of both ways. */
  send(message: Buffer): void {
    if (!this.#ended) this.#call('sendCopyFromChunk', message);
  }

  /** What the types of `pg` leave out. */
  #call(method: 'sendCopyFromChunk' | 'endCopyFrom', ...values: readonly Buffer[]): void {
    const connection = this.#connection;
    if (!connection) return;
    const found: unknown = Reflect.get(connection, method);
    if (typeof found !== 'function') throw new Error(`this version of pg has no ${method}`);
    Reflect.apply(found, connection, values);
  }

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
    this.#ended = true;
    this.#wake();
  }
  handleError(error: Error): void {
    this.#error ??= error;
    this.#ended = true;
    this.#wake();
  }
}
