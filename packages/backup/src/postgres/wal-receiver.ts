import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { BackupProblem } from '../repository/problem.ts';
import type { WalGap } from '../repository/repository.ts';
import { formatLsn, historyName, parseHistory, parseLsn, startOfSegment } from './lsn.ts';
import {
  connectForReplication,
  CopyStream,
  createSlot,
  dropSlot,
  identify,
  named,
  slotStart,
  timelineHistory,
} from './replication.ts';
import { makeFolder, type Received, readReceived, WalFile, writeDurably, writeReceived } from './wal-file.ts';

export type WalEvent =
  | { readonly kind: 'segment'; readonly systemId: string; readonly segment: string; readonly path: string }
  | { readonly kind: 'history'; readonly systemId: string; readonly timeline: number; readonly path: string }
  | { readonly kind: 'gap'; readonly gap: WalGap }
  | { readonly kind: 'connected'; readonly systemId: string; readonly timeline: number; readonly lsn: string }
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
/** A server that has nothing to say sends a sign of life at least twice in this time (wal_sender_timeout is 60 s). */
const SILENCE_MS = 65_000;
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [200, 10_000];
const [WAL_DATA, KEEPALIVE, STATUS] = [0x77, 0x6b, 0x72];
const WAL_HEAD_BYTES = 25;
/** 2000-01-01, where the server's clock begins. */
const SERVER_EPOCH_MS = 946_684_800_000;
/** "requested WAL segment … has already been removed"; "can no longer access replication slot". */
const GONE = new Set(['58P01', '55000']);

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

class Receiver {
  readonly #options: WalReceiverOptions;
  readonly #ended = new AbortController();
  #client: pg.Client | undefined;
  #systemId: string | undefined;
  #timeline = 0;
  #file: WalFile | undefined;
  #received: bigint | undefined;
  #flushed: bigint | undefined;
  #server: bigint | undefined;
  #connected = false;
  #lastMessageAt: Date | undefined;

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
    let waitMs = FIRST_PAUSE_MS;
    while (!this.#ended.signal.aborted) {
      try {
        await this.#session();
        waitMs = FIRST_PAUSE_MS;
      } catch (error) {
        if (this.#ended.signal.aborted) break;
        if (this.#connected) waitMs = FIRST_PAUSE_MS;
        onEvent({ kind: 'disconnected', reason: error instanceof Error ? error.message : String(error) });
      } finally {
        this.#connected = false;
        this.#disconnect();
        await this.#leaveFile();
      }
      await pause(waitMs, undefined, { signal: this.#ended.signal }).catch(() => undefined);
      waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS);
    }
  }

  #disconnect(): void {
    const client = this.#client;
    this.#client = undefined;
    // A stream that is under way would be waited for.
    if (client) void client.end().catch(() => undefined);
  }

  async #leaveFile(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    try {
      await file?.close();
    } catch (error) {
      this.#options.onEvent({
        kind: 'disconnected',
        reason: error instanceof Error ? error.message : String(error),
      });
    }
  }

  /** From a connection to its end. */
  async #session(): Promise<void> {
    const { connectionString, spool, onEvent } = this.#options;
    const client = await connectForReplication(connectionString);
    this.#client = client;
    if (this.#ended.signal.aborted) return this.#disconnect();
    const { systemId, timeline, flushedLsn } = await identify(client);
    this.#systemId = systemId;
    this.#server = parseLsn(flushedLsn);
    const folder = join(spool, systemId);
    await makeFolder(folder);
    const steps = timeline > 1 ? await this.#history(client, folder, systemId, timeline) : [];
    let next: Received | undefined = await this.#begin(client, folder, { timeline, steps });
    while (next && !this.#ended.signal.aborted) {
      onEvent({ kind: 'connected', systemId, timeline: next.timeline, lsn: formatLsn(next.lsn) });
      next = await this.#stream(client, folder, next);
    }
  }

  /** Keeps the history of the timeline, and tells which ones led to it. */
  async #history(client: pg.Client, folder: string, systemId: string, timeline: number) {
    const content = await timelineHistory(client, timeline);
    const path = join(folder, historyName(timeline));
    if (!existsSync(path)) {
      await writeDurably(folder, historyName(timeline), content);
      this.#options.onEvent({ kind: 'history', systemId, timeline, path });
    }
    return parseHistory(content.toString('utf8'));
  }

  /** Where to go on, so that nothing is left out: after what was received, on the timeline that has it. */
  async #begin(
    client: pg.Client,
    folder: string,
    {
      timeline,
      steps,
    }: { readonly timeline: number; readonly steps: readonly { timeline: number; until: bigint }[] },
  ): Promise<Received> {
    const { slot } = this.#options;
    let start = await slotStart(client, slot);
    const received = await readReceived(folder);
    // A slot without a place was given up by the server, which had to keep too much for it.
    if (start.exists && start.lsn === null) await dropSlot(client, slot);
    if (!start.exists || start.lsn === null) {
      await createSlot(client, slot);
      start = await slotStart(client, slot);
    }
    if (start.lsn === null) throw new BackupProblem('unavailable', `The slot ${slot} keeps nothing.`);
    if (!received) return { timeline, lsn: startOfSegment(parseLsn(start.lsn)) };

    const chain = [...steps, { timeline, until: undefined }];
    const own = chain.find((step) => step.timeline === received.timeline);
    if (own && (own.until === undefined || received.lsn < own.until)) {
      return { timeline: own.timeline, lsn: startOfSegment(received.lsn) };
    }
    // Our timeline was left behind us, or before what we have of it: the one after it begins in the segment of that place.
    const left = own ?? chain[0];
    const after = chain[chain.findIndex((step) => step === left) + 1];
    if (left?.until !== undefined && after)
      return { timeline: after.timeline, lsn: startOfSegment(left.until) };
    return { timeline, lsn: startOfSegment(parseLsn(start.lsn)) };
  }

  /** Receives until the connection ends, or the timeline does: then where the next one begins. */
  async #stream(client: pg.Client, folder: string, from: Received): Promise<Received | undefined> {
    const { slot } = this.#options;
    this.#timeline = from.timeline;
    this.#received = from.lsn;
    this.#flushed = undefined;
    const stream = client.query(
      new CopyStream(
        `START_REPLICATION SLOT ${named(slot)} PHYSICAL ${formatLsn(from.lsn)} TIMELINE ${from.timeline}`,
        { both: true },
      ),
    );
    const watch = this.#watch(client, stream);
    try {
      for await (const message of stream.messages()) {
        this.#connected = true;
        this.#lastMessageAt = new Date();
        if (message[0] === WAL_DATA) await this.#take(folder, message);
        else if (message[0] === KEEPALIVE) {
          this.#server = message.readBigUInt64BE(1);
          if (message[17] === 1) this.#tell(stream);
        }
      }
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || !GONE.has(error.code ?? '')) throw error;
      return await this.#skipGap(client, folder, from, error.message);
    } finally {
      watch.stop();
    }
    const [row] = stream.rows;
    const [timeline, lsn] = [row?.[0], row?.[1]];
    if (!timeline || !lsn) return undefined;
    await this.#leaveFile();
    await this.#history(client, folder, this.#systemId ?? '', Number(timeline));
    return { timeline: Number(timeline), lsn: startOfSegment(parseLsn(lsn)) };
  }

  /** Syncs and reports on a timer, and ends a connection on which nothing comes any more. */
  #watch(client: pg.Client, stream: CopyStream): { stop: () => void } {
    let told = 0;
    const begun = Date.now();
    const timer = setInterval(() => {
      const silent = Date.now() - (this.#lastMessageAt?.getTime() ?? begun);
      if (silent > SILENCE_MS && Date.now() - begun > SILENCE_MS) void client.end().catch(() => undefined);
      const before = this.#flushed;
      const file = this.#file;
      const syncing = file ? file.sync() : Promise.resolve();
      syncing.then(
        () => {
          if (file && file === this.#file) this.#flushed = file.synced;
          if (this.#flushed === before && Date.now() - told < STATUS_EVERY_MS) return;
          told = Date.now();
          this.#tell(stream);
        },
        // The next write meets it, too, and says so.
        () => undefined,
      );
    }, SYNC_EVERY_MS);
    return { stop: () => clearInterval(timer) };
  }

  async #take(folder: string, message: Buffer): Promise<void> {
    const start = message.readBigUInt64BE(1);
    this.#server = message.readBigUInt64BE(9);
    if (start !== this.#received) {
      throw new BackupProblem(
        'missing',
        `The server sent its log from ${formatLsn(start)} on; ${formatLsn(this.#received ?? 0n)} was to come.`,
      );
    }
    for (let bytes = message.subarray(WAL_HEAD_BYTES); bytes.length > 0; ) {
      this.#file ??= await WalFile.begin(folder, this.#timeline, this.#received ?? start);
      const taken = await this.#file.write(bytes);
      bytes = bytes.subarray(taken);
      this.#received = this.#file.end;
      if (this.#file.full) await this.#complete(folder, this.#file);
    }
  }

  async #complete(folder: string, file: WalFile): Promise<void> {
    await file.complete();
    this.#file = undefined;
    this.#flushed = file.end;
    await writeReceived(folder, { timeline: this.#timeline, lsn: file.end });
    const systemId = this.#systemId ?? '';
    this.#options.onEvent({ kind: 'segment', systemId, segment: file.segment, path: file.path });
  }

  /** What the server may forget: only what is on our disk. */
  #tell(stream: CopyStream): void {
    if (this.#flushed === undefined) return;
    const status = Buffer.alloc(34);
    status[0] = STATUS;
    status.writeBigUInt64BE(this.#received ?? this.#flushed, 1);
    status.writeBigUInt64BE(this.#flushed, 9);
    status.writeBigInt64BE(BigInt(Date.now() - SERVER_EPOCH_MS) * 1000n, 25);
    stream.send(status);
  }

  /** The server has no longer what would come next. Nobody can bring it back; that it is missing must be known. */
  async #skipGap(client: pg.Client, folder: string, from: Received, reason: string): Promise<Received> {
    const { slot, onEvent } = this.#options;
    await dropSlot(client, slot).catch(() => undefined);
    await createSlot(client, slot);
    const { lsn, timeline } = await slotStart(client, slot);
    if (lsn === null) throw new BackupProblem('unavailable', `The slot ${slot} keeps nothing.`);
    const next: Received = { timeline: timeline ?? from.timeline, lsn: startOfSegment(parseLsn(lsn)) };
    onEvent({
      kind: 'gap',
      gap: {
        systemId: this.#systemId ?? '',
        timeline: from.timeline,
        fromLsn: formatLsn(from.lsn),
        toLsn: formatLsn(next.lsn),
        noticedAt: new Date().toISOString(),
        reason,
      },
    });
    await writeReceived(folder, next);
    return next;
  }
}
