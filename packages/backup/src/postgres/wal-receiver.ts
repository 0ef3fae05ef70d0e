import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { BackupProblem } from '../repository/problem.ts';
import type { WalGap } from '../repository/repository.ts';
import { makeFolder, writeDurably } from './durable-file.ts';
import {
  formatLsn,
  historyName,
  parseHistory,
  parseLsn,
  segmentAt,
  startOfSegment,
  type TimelineStep,
} from './lsn.ts';
import {
  connectForReplication,
  CopyStream,
  createSlot,
  dropSlot,
  type Identity,
  identify,
  named,
  readSlot,
  timelineHistory,
} from './replication.ts';
import { WalFile } from './wal-file.ts';
import { continuation, type Progress, readProgress, type WalStart, writeProgress } from './wal-progress.ts';

export type WalEvent =
  | { readonly kind: 'segment'; readonly systemId: string; readonly segment: string; readonly path: string }
  | { readonly kind: 'history'; readonly systemId: string; readonly timeline: number; readonly path: string }
  | { readonly kind: 'gap'; readonly gap: WalGap }
  | { readonly kind: 'connected' }
  | { readonly kind: 'disconnected'; readonly reason: string };

export interface WalPosition {
  readonly systemId: string | undefined;
  readonly timeline: number;
  readonly receivedLsn: string | undefined;
  /** On the disk of this machine. */
  readonly flushedLsn: string | undefined;
  readonly serverLsn: string | undefined;
  readonly connected: boolean;
  readonly lastMessageAt: Date | undefined;
}

export interface WalReceiverOptions {
  /** Of a role with REPLICATION, directly to the server. */
  readonly connectionString: string;
  readonly slot: string;
  /** What is received lies in `<spool>/<system id>/`: whole segments under their names, the last one as `.partial`. */
  readonly spool: string;
  /**
   * The server waits for us with each commit: what arrives is synced and reported at once, instead of ten times a second. It
   * knows us under the name of the slot.
   */
  readonly synchronous?: boolean;
  /** Asked before each segment; as long as it rejects nothing more is received, and the server keeps its log for us. */
  readonly makeRoom?: () => Promise<void>;
  readonly onEvent: (event: WalEvent) => void;
}

export interface WalReceiver {
  position(): WalPosition;
  /** Resolves when all that was received is on the disk. */
  stop(): Promise<void>;
}

/** After every message it fell 300 MB behind (backup.md, 2.3). */
const SYNC_EVERY_MS = 100;
const STATUS_EVERY_MS = 1000;
/** A server that has nothing to say answers when it is asked; it says nothing by itself as long as we talk to it. */
const [ASK_AFTER_MS, SILENCE_MS] = [10_000, 40_000];
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [200, 10_000];
const [WAL_DATA, KEEPALIVE, STATUS] = [0x77, 0x6b, 0x72];
const WAL_HEAD_BYTES = 25;
/** 2000-01-01, where the server's clock begins. */
const SERVER_EPOCH_MS = 946_684_800_000;
/** "requested WAL segment … has already been removed" */
const LOG_REMOVED = '58P01';
/** "can no longer access replication slot" */
const SLOT_LOST = '55000';
/** "replication slot … is active for PID …" */
const SLOT_TAKEN = '55006';

/** Receives the log of the server for as long as it lives, over restarts of the server, the network and itself. */
export function startWalReceiver(options: WalReceiverOptions): WalReceiver {
  const receiver = new Receiver(options);
  const running = receiver.run();
  return {
    position: () => receiver.position(),
    stop: async () => {
      receiver.end();
      await running;
    },
  };
}

/** What one connection is about. */
interface Session extends Identity {
  readonly client: pg.Client;
  readonly folder: string;
  readonly progress: Progress;
}

class Receiver {
  readonly #options: WalReceiverOptions;
  readonly #ended = new AbortController();
  #client: pg.Client | undefined;
  #stream: CopyStream | undefined;
  #systemId: string | undefined;
  #timeline = 0;
  #file: WalFile | undefined;
  /** A segment of which a sync failed: it is written anew. */
  #distrusted: string | undefined;
  #received: bigint | undefined;
  #flushed: bigint | undefined;
  #server: bigint | undefined;
  #connected = false;
  #lastMessageAt: Date | undefined;
  /** Syncs and reports now. */
  #hurry: (() => void) | undefined;
  /** Why the connection was ended from our side: whoever reads it only hears that it did. */
  #fault: unknown;

  constructor(options: WalReceiverOptions) {
    this.#options = options;
  }

  position(): WalPosition {
    const text = (lsn: bigint | undefined) => (lsn === undefined ? undefined : formatLsn(lsn));
    return {
      systemId: this.#systemId,
      timeline: this.#timeline,
      receivedLsn: text(this.#received),
      flushedLsn: text(this.#flushed),
      serverLsn: text(this.#server),
      connected: this.#connected,
      lastMessageAt: this.#lastMessageAt,
    };
  }

  end(): void {
    this.#ended.abort();
    this.#disconnect();
  }

  async run(): Promise<void> {
    const { onEvent } = this.#options;
    const { signal } = this.#ended;
    let waitMs = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      const begun = Date.now();
      const before = this.#flushed ?? 0n;
      const failure = await this.#session().then(
        () => undefined,
        (error: unknown) => error,
      );
      const reason = (await this.#leave()) ?? failure;
      if (signal.aborted) return;
      // One that brought nothing, as with a full disk, is not tried at once again.
      const worked = (this.#flushed ?? 0n) > before || Date.now() - begun > LONGEST_PAUSE_MS;
      if (worked) waitMs = FIRST_PAUSE_MS;
      onEvent({ kind: 'disconnected', reason: reason instanceof Error ? reason.message : String(reason) });
      await pause(waitMs, undefined, { signal }).catch(() => undefined);
      waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS);
    }
  }

  /** What is at work is ended; what was received is on the disk. What went wrong on our side before or with that comes back. */
  async #leave(): Promise<unknown> {
    this.#connected = false;
    this.#disconnect();
    await this.#leaveFile().catch((error: unknown) => {
      this.#fault ??= error;
    });
    const fault = this.#fault;
    this.#fault = undefined;
    return fault;
  }

  #disconnect(): void {
    const client = this.#client;
    this.#client = undefined;
    // With a stream under way `pg` closes the socket at once.
    void client?.end().catch(() => undefined);
  }

  async #leaveFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    try {
      await file.close();
      if (!file.full) this.#flushed = file.syncedEnd;
    } finally {
      if (file.failed) this.#distrusted = file.segment;
    }
  }

  /** From a connection to its end: it always rejects with the reason. */
  async #session(): Promise<never> {
    const { connectionString, spool } = this.#options;
    const client = await connectForReplication(connectionString, this.#options.slot);
    this.#client = client;
    const watch = this.#watch();
    try {
      this.#ended.signal.throwIfAborted();
      const identity = await identify(client);
      const folder = join(spool, identity.systemId);
      await makeFolder(folder);
      const session = { ...identity, client, folder, progress: await readProgress(folder) };
      this.#systemId = identity.systemId;
      this.#server = parseLsn(identity.flushedLsn);
      await this.#options.makeRoom?.();
      for (let next = await this.#begin(session); ; ) next = await this.#receive(session, next);
    } finally {
      clearInterval(watch);
    }
  }

  async #begin(session: Session): Promise<WalStart> {
    const { client, timeline, flushedLsn, progress, folder } = session;
    const steps = timeline > 1 ? await this.#history(session, timeline) : [];
    const kept = await ensureSlot(client, this.#options.slot);
    const received = progress.get(timeline);
    if (received !== undefined && received > parseLsn(flushedLsn)) {
      throw new BackupProblem(
        'foreign',
        `The server's log ends at ${flushedLsn}, and ${formatLsn(received)} was received of it before: its data folder was put back without a restore, and what it writes now would replace what is kept. Restore it with calculaud restore, which begins a timeline of its own.`,
        { object: folder },
      );
    }
    return continuation(progress, { timeline, steps }) ?? { timeline, lsn: startOfSegment(kept) };
  }

  /** Keeps the history of the timeline, and tells which ones led to it. */
  async #history({ client, folder, systemId }: Session, timeline: number): Promise<readonly TimelineStep[]> {
    const content = await timelineHistory(client, timeline);
    const name = historyName(timeline);
    const path = join(folder, name);
    const before = await readFile(path).catch(() => undefined);
    if (before && !before.equals(content)) {
      throw new BackupProblem(
        'foreign',
        `The server is on a timeline ${timeline} that began elsewhere than the one of that number in ${path}: two restores have taken the same number. Their logs are not mixed. Restore once more with calculaud restore, which begins a timeline of its own.`,
        { object: path },
      );
    }
    if (!before) {
      await writeDurably(folder, name, content);
      this.#options.onEvent({ kind: 'history', systemId, timeline, path });
    }
    return parseHistory(content.toString('utf8'));
  }

  /** Receives until the timeline ends, then tells where the next one begins; rejects when the connection ends. */
  async #receive(session: Session, from: WalStart): Promise<WalStart> {
    const { client } = session;
    this.#timeline = from.timeline;
    this.#received = from.lsn;
    this.#flushed = from.lsn;
    const stream = new CopyStream(
      `START_REPLICATION SLOT ${named(this.#options.slot)} PHYSICAL ${formatLsn(from.lsn)} TIMELINE ${from.timeline}`,
      { onStart: () => this.#started() },
    );
    this.#stream = stream;
    client.query(stream);
    try {
      for await (const message of stream.messages()) {
        this.#lastMessageAt = new Date();
        if (message[0] === WAL_DATA) await this.#take(session, message);
        else if (message[0] === KEEPALIVE) {
          this.#server = message.readBigUInt64BE(1);
          if (message[17] === 1) this.#tell();
        }
      }
    } catch (error) {
      if (!(error instanceof pg.DatabaseError)) throw error;
      if (error.code === LOG_REMOVED) return await this.#skipGap(session, from, error.message);
      if (error.code === SLOT_TAKEN) {
        throw new BackupProblem(
          'busy',
          `Somebody else receives the log of this server (${error.message}). One backup service per server: stop the other one, or this one if it was started by mistake. One that was just killed is let go within a minute.`,
          { object: this.#options.slot, cause: error },
        );
      }
      // The next session makes a new one, and finds out whether the server has the log nevertheless.
      if (error.code === SLOT_LOST) await dropSlot(client, this.#options.slot).catch(() => undefined);
      throw error;
    } finally {
      this.#stream = undefined;
    }
    const [timeline, lsn] = stream.rows[0] ?? [];
    if (!timeline || !lsn) {
      throw new BackupProblem('unavailable', 'The server ended the connection: it is shutting down.');
    }
    await this.#leaveFile();
    await this.#history(session, Number(timeline));
    return { timeline: Number(timeline), lsn: startOfSegment(parseLsn(lsn)) };
  }

  #started(): void {
    this.#connected = true;
    this.#options.onEvent({ kind: 'connected' });
    this.#tell({ ask: true });
  }

  /** Syncs and reports on a timer, and ends a connection on which nothing comes any more. */
  #watch(): NodeJS.Timeout {
    let [told, heard, syncing, again] = [0, Date.now(), false, false];
    let toldLsn: bigint | undefined;
    const turn = async () => {
      again = false;
      const now = Date.now();
      heard = Math.max(heard, this.#lastMessageAt?.getTime() ?? 0);
      if (now - heard > SILENCE_MS) {
        throw new BackupProblem('unavailable', 'The server has not answered for 40 seconds.');
      }
      const file = this.#file;
      await file?.sync();
      // A full one counts when it has its name: until then the server must be able to send it again.
      if (file && file === this.#file && !file.full) this.#flushed = file.syncedEnd;
      if (this.#flushed === toldLsn && now - told < STATUS_EVERY_MS) return;
      told = now;
      toldLsn = this.#flushed;
      this.#tell({ ask: now - heard > ASK_AFTER_MS });
    };
    const begin = () => {
      again = true;
      if (syncing) return;
      syncing = true;
      turn()
        .catch((error: unknown) => {
          this.#fault ??= error;
          this.#disconnect();
        })
        .finally(() => {
          syncing = false;
          // What came during a sync is synced together by the next one.
          if (again && this.#options.synchronous) begin();
        });
    };
    this.#hurry = this.#options.synchronous ? begin : undefined;
    return setInterval(begin, SYNC_EVERY_MS);
  }

  async #take(session: Session, message: Buffer): Promise<void> {
    const start = message.readBigUInt64BE(1);
    this.#server = message.readBigUInt64BE(9);
    if (start !== this.#received) {
      throw new BackupProblem(
        'missing',
        `The server sent its log from ${formatLsn(start)} on, where ${formatLsn(this.#received ?? 0n)} was to come. It is asked again.`,
      );
    }
    for (let bytes = message.subarray(WAL_HEAD_BYTES); bytes.length > 0; ) {
      const file = await this.#open(session.folder, this.#received);
      bytes = bytes.subarray(await file.write(bytes));
      this.#received = file.end;
      if (file.full) await this.#complete(session, file);
    }
    this.#hurry?.();
  }

  async #open(folder: string, start: bigint): Promise<WalFile> {
    if (this.#file) return this.#file;
    await this.#options.makeRoom?.();
    const [timeline, segment] = [this.#timeline, segmentAt(this.#timeline, start)];
    const file = await WalFile.open(folder, { timeline, start, trusted: segment !== this.#distrusted });
    this.#file = file;
    return file;
  }

  async #complete({ folder, systemId, progress }: Session, file: WalFile): Promise<void> {
    await file.complete();
    this.#file = undefined;
    this.#distrusted = undefined;
    this.#options.onEvent({ kind: 'segment', systemId, segment: file.segment, path: file.path });
    progress.set(this.#timeline, file.end);
    await writeProgress(folder, progress);
    this.#flushed = file.end;
  }

  /** What the server may forget: only what is on our disk. */
  #tell({ ask = false } = {}): void {
    if (this.#flushed === undefined || !this.#connected) return;
    const status = Buffer.alloc(34);
    status[0] = STATUS;
    status.writeBigUInt64BE(this.#received ?? this.#flushed, 1);
    status.writeBigUInt64BE(this.#flushed, 9);
    status.writeBigInt64BE(BigInt(Date.now() - SERVER_EPOCH_MS) * 1000n, 25);
    status[33] = ask ? 1 : 0;
    this.#stream?.send(status);
  }

  /** The server has no longer what would come next. Nobody can bring it back; that it is missing must be known. */
  async #skipGap(session: Session, from: WalStart, reason: string): Promise<WalStart> {
    const { client, folder, systemId, progress } = session;
    await this.#leaveFile();
    const next = {
      timeline: session.timeline,
      lsn: startOfSegment(await renewSlot(client, this.#options.slot)),
    };
    // Part of the segment may be here.
    const reached = progress.get(from.timeline) ?? 0n;
    const lost = reached > from.lsn ? reached : from.lsn;
    if (next.lsn > lost) {
      this.#options.onEvent({
        kind: 'gap',
        gap: {
          systemId,
          timeline: from.timeline,
          fromLsn: formatLsn(lost),
          toLsn: formatLsn(next.lsn),
          noticedAt: new Date().toISOString(),
          reason,
        },
      });
    }
    progress.set(next.timeline, next.lsn);
    await writeProgress(folder, progress);
    return next;
  }
}

/** From where on the server keeps its log for us. */
async function ensureSlot(client: pg.Client, slot: string): Promise<bigint> {
  const { lsn } = await readSlot(client, slot);
  return lsn === null ? await renewSlot(client, slot) : parseLsn(lsn);
}

/** A slot that keeps nothing was given up by the server, which had to keep too much for it. */
async function renewSlot(client: pg.Client, slot: string): Promise<bigint> {
  const { exists } = await readSlot(client, slot);
  if (exists) await dropSlot(client, slot);
  await createSlot(client, slot);
  const { lsn } = await readSlot(client, slot);
  if (lsn !== null) return parseLsn(lsn);
  throw new BackupProblem(
    'unavailable',
    `The server keeps no log for the slot ${slot}. Look into its own log for why.`,
  );
}
