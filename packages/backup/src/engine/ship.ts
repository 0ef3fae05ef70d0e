import { open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { formatLsn, parseLsn, placeOf, SEGMENT_BYTES } from '../postgres/lsn.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository, WalGap } from '../repository/repository.ts';

export interface ShippedPosition {
  readonly systemId: string;
  readonly timeline: number;
  /** All before it is in the repository. */
  readonly lsn: string;
  readonly at: Date;
}

export interface Shipping {
  /** Of one repository, by its address. */
  position(address: string): ShippedPosition | undefined;
  /** Resolves when a repository has the log up to here. */
  waitFor(address: string, systemId: string, lsn: string, signal: AbortSignal): Promise<void>;
  /** Looks now instead of at the next turn. */
  wake(): void;
  /** From now on to this one, too. */
  add(repository: Repository): void;
  /** Bytes of whole segments that are here and not in this repository. */
  waiting(address: string): number;
  /** Resolves when another segment may be received; rejects with 'full' as long as all that is here is needed. */
  makeRoom(): Promise<void>;
  /** Brings what there is, as far as the repositories can be reached. */
  stop(): Promise<void>;
}

export interface ShippingOptions {
  /** Where the receiver puts what it gets. */
  readonly spool: string;
  readonly repositories: readonly Repository[];
  /** Addresses of others, which cannot be used now: the log waits for them as well. */
  readonly absent?: () => readonly string[];
  /** More than this does not wait here. */
  readonly limitBytes: number;
  readonly onEvent: (event: ShippingEvent) => void;
}

export type ShippingEvent =
  /** With one repository, and its end. */
  | { readonly kind: 'trouble'; readonly address: string; readonly reason: string; readonly problem: unknown }
  | { readonly kind: 'well-again'; readonly address: string }
  /** One repository will never get it; it is noted there. */
  | { readonly kind: 'gap'; readonly address: string; readonly gap: WalGap }
  /** Whole segments went, to make room, before these repositories had them. */
  | { readonly kind: 'dropped'; readonly segments: readonly string[]; readonly addresses: readonly string[] };

/** The open segment goes out so often, when it has grown: what is lost with this machine at most. */
const TURN_MS = 5000;
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [1000, 30_000];
const HISTORY = /^([0-9A-F]{8})\.history$/;

/** Takes the log from the disk of this machine to every repository. One that is dead holds up no other. */
export function startShipping(options: ShippingOptions): Shipping {
  const { spool, repositories, onEvent } = options;
  const lanes = new Map<string, Lane>();
  const add = (repository: Repository) => {
    lanes.set(repository.address, new Lane(spool, repository, onEvent));
  };
  for (const repository of repositories) add(repository);
  const room = new Room(options, () => [...lanes.values()]);
  const sweeping = new AbortController();
  const sweeper = room.sweepUntil(sweeping.signal);
  return {
    position: (address) => lanes.get(address)?.position,
    waitFor: async (address, systemId, lsn, signal) => {
      const lane = lanes.get(address);
      if (!lane) throw new Error(`nothing is shipped to ${address}`);
      await lane.waitFor(systemId, lsn, signal);
    },
    wake: () => {
      for (const lane of lanes.values()) lane.wake();
    },
    add,
    waiting: (address) => room.waiting(address),
    makeRoom: async () => room.make(),
    stop: async () => {
      await Promise.all([...lanes.values()].map((lane) => lane.stop()));
      sweeping.abort();
      await sweeper;
    },
  };
}

/** What one repository has, and what it gets next. */
class Lane {
  position: ShippedPosition | undefined;
  readonly address: string;
  readonly #spool: string;
  readonly #repository: Repository;
  readonly #onEvent: ShippingOptions['onEvent'];
  readonly #done = new Set<string>();
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  /** How much of the open segments is there: one of each timeline. */
  readonly #partials = new Map<string, number>();
  /** Of each timeline, up to where the repository has its log; undefined when it has none of it. */
  readonly #ends = new Map<string, bigint | undefined>();
  #wake = new AbortController();
  #waiting: (() => void)[] = [];
  #troubled = false;

  constructor(spool: string, repository: Repository, onEvent: ShippingOptions['onEvent']) {
    this.address = repository.address;
    this.#spool = spool;
    this.#repository = repository;
    this.#onEvent = onEvent;
    this.#running = this.#run();
  }

  has(systemId: string, segment: string): boolean {
    return this.#done.has(`${systemId}/${segment}`);
  }

  forget(systemId: string, segment: string): void {
    this.#done.delete(`${systemId}/${segment}`);
  }

  wake(): void {
    this.#wake.abort();
  }

  async waitFor(systemId: string, lsn: string, signal: AbortSignal): Promise<void> {
    const wanted = parseLsn(lsn);
    for (;;) {
      signal.throwIfAborted();
      const { position } = this;
      if (position?.systemId === systemId && parseLsn(position.lsn) >= wanted) return;
      this.wake();
      await new Promise<void>((resolve) => {
        const go = () => {
          signal.removeEventListener('abort', go);
          resolve();
        };
        this.#waiting.push(go);
        signal.addEventListener('abort', go);
      });
    }
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    this.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    let waitMs = FIRST_PAUSE_MS;
    for (;;) {
      const last = this.#ended.signal.aborted;
      this.#wake = new AbortController();
      let next = TURN_MS;
      try {
        await this.#turn();
        if (this.#troubled) this.#onEvent({ kind: 'well-again', address: this.#repository.address });
        this.#troubled = false;
        waitMs = FIRST_PAUSE_MS;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (!this.#troubled) {
          this.#onEvent({ kind: 'trouble', address: this.#repository.address, reason, problem: error });
        }
        this.#troubled = true;
        next = waitMs;
        waitMs = Math.min(waitMs * 2, LONGEST_PAUSE_MS);
      }
      for (const resolve of this.#waiting.splice(0)) resolve();
      if (last) return;
      const woken = this.#troubled
        ? this.#ended.signal
        : AbortSignal.any([this.#wake.signal, this.#ended.signal]);
      await pause(next, undefined, { signal: woken }).catch(() => undefined);
    }
  }

  /** Everything that is there now, in its order. */
  async #turn(): Promise<void> {
    for (const systemId of await readdir(this.#spool).catch(() => [])) {
      const folder = join(this.#spool, systemId);
      const names: string[] = await readdir(folder).catch(() => []);
      names.sort();
      for (const name of names) {
        const timeline = HISTORY.exec(name)?.[1];
        if (timeline !== undefined && !this.has(systemId, name)) {
          const content = await readFile(join(folder, name));
          await this.#repository.putTimelineHistory(systemId, Number.parseInt(timeline, 16), content);
          this.#done.add(`${systemId}/${name}`);
        }
        if (placeOf(name)) await this.#whole(systemId, folder, name);
      }
      for (const name of names) {
        const segment = name.slice(0, 24);
        if (name === `${segment}.partial` && placeOf(segment)) await this.#part(systemId, folder, segment);
      }
    }
  }

  async #whole(systemId: string, folder: string, segment: string): Promise<void> {
    if (this.has(systemId, segment)) return;
    const content = await readFile(join(folder, segment)).catch(absent);
    if (!content) return;
    await this.#noteGapBefore(systemId, segment);
    await this.#repository.putSegment({ systemId, segment }, content);
    this.#done.add(`${systemId}/${segment}`);
    this.#reached(systemId, segment, SEGMENT_BYTES);
  }

  async #part(systemId: string, folder: string, segment: string): Promise<void> {
    const file = await open(join(folder, `${segment}.partial`), 'r').catch(absent);
    if (!file) return;
    try {
      const { size } = await file.stat();
      if (size === 0) return;
      const name = `${systemId}/${segment}`;
      let before = this.#partials.get(name);
      if (before === undefined) {
        const stored = await this.#repository.getSegment({ systemId, segment });
        before = stored?.content.length ?? 0;
        this.#partials.set(name, before);
        if (stored) this.#reached(systemId, segment, BigInt(before));
      }
      // After a new connection the segment begins anew: what is there already is more, until it has grown again.
      if (size <= before) return;
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size), position: 0 });
      await this.#noteGapBefore(systemId, segment);
      await this.#repository.putPartialSegment({ systemId, segment }, buffer.subarray(0, bytesRead));
      this.#partials.set(name, bytesRead);
      this.#reached(systemId, segment, BigInt(bytesRead));
    } finally {
      await file.close();
    }
  }

  /** What comes next and does not follow what is there leaves a hole, of which a restore has to know. */
  async #noteGapBefore(systemId: string, segment: string): Promise<void> {
    const place = placeOf(segment);
    if (!place) return;
    const { timeline, start } = place;
    const end = await this.#endOf(systemId, timeline);
    if (end === undefined || start <= end) return;
    const toLsn = formatLsn(start);
    const gaps = await this.#repository.listGaps(systemId);
    // The receiver notes its own.
    if (gaps.some((gap) => gap.timeline === timeline && gap.toLsn === toLsn)) return;
    const gap: WalGap = {
      systemId,
      timeline,
      fromLsn: formatLsn(end),
      toLsn,
      noticedAt: new Date().toISOString(),
      reason: 'it had to leave the machine of the backup service before this repository could take it',
    };
    await this.#repository.putGap(gap);
    this.#onEvent({ kind: 'gap', address: this.address, gap });
  }

  async #endOf(systemId: string, timeline: number): Promise<bigint | undefined> {
    const name = `${systemId}/${timeline}`;
    if (this.#ends.has(name)) return this.#ends.get(name);
    const stored = await this.#repository.listSegments(systemId);
    const last = stored.findLast(({ segment }) => placeOf(segment)?.timeline === timeline);
    const place = last && placeOf(last.segment);
    let end: bigint | undefined;
    if (last && place) {
      const part = last.partial
        ? await this.#repository.getSegment({ systemId, segment: last.segment })
        : undefined;
      end = place.start + (last.partial ? BigInt(part?.content.length ?? 0) : SEGMENT_BYTES);
    }
    this.#ends.set(name, end);
    return end;
  }

  #reached(systemId: string, segment: string, bytes: bigint): void {
    const place = placeOf(segment);
    if (!place) return;
    const { timeline, start } = place;
    const name = `${systemId}/${timeline}`;
    const end = start + bytes;
    if (end > (this.#ends.get(name) ?? 0n)) this.#ends.set(name, end);
    const { position } = this;
    // What an older timeline left open says nothing of where the server is.
    if (position?.systemId === systemId && timeline < position.timeline) return;
    this.position = { systemId, timeline, lsn: formatLsn(start + bytes), at: new Date() };
  }
}

interface Waiting {
  readonly systemId: string;
  readonly segment: string;
  /** When it was received. */
  readonly at: number;
}

/** Keeps what is received and not yet shipped within its limit. What no repository has is never removed. */
class Room {
  readonly #options: ShippingOptions;
  readonly #lanes: () => readonly Lane[];
  #waiting: readonly Waiting[] = [];
  #sweeping: Promise<void> = Promise.resolve();

  constructor(options: ShippingOptions, lanes: () => readonly Lane[]) {
    this.#options = options;
    this.#lanes = lanes;
  }

  waiting(address: string): number {
    const lane = this.#lanes().find((each) => each.address === address);
    const lacking = this.#waiting.filter(({ systemId, segment }) => !lane?.has(systemId, segment));
    return lacking.length * Number(SEGMENT_BYTES);
  }

  async sweepUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // A disk that cannot be read is told by whoever writes to it.
      await this.#sweep().catch(() => undefined);
      await pause(TURN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async make(): Promise<void> {
    await this.#sweep();
    const { spool, limitBytes } = this.#options;
    const bytes = (this.#waiting.length + 1) * Number(SEGMENT_BYTES);
    if (bytes <= limitBytes) return;
    throw new BackupProblem(
      'full',
      `${inMebibytes(bytes)} of the log would wait in ${spool}, which may hold ${inMebibytes(limitBytes)}, and no repository has taken them. Nothing more is received until one can be used again; the server keeps its log up to max_slot_wal_keep_size. See calculaud backup status, or set CALCULAUD_BACKUP_SPOOL_GB.`,
      { object: spool },
    );
  }

  /** One at a time. */
  async #sweep(): Promise<void> {
    const sweeping = this.#sweeping.then(async () => this.#look());
    this.#sweeping = sweeping.catch(() => undefined);
    await sweeping;
  }

  async #look(): Promise<void> {
    const { spool, limitBytes, absent: absentNow, onEvent } = this.#options;
    const lanes = this.#lanes();
    const absentees = absentNow?.() ?? [];
    const isDone = ({ systemId, segment }: Waiting) =>
      absentees.length === 0 && lanes.length > 0 && lanes.every((lane) => lane.has(systemId, segment));
    const left: Waiting[] = [];
    for (const each of await wholeSegments(spool)) {
      if (isDone(each)) await remove(spool, each, lanes);
      else left.push(each);
    }
    const excess = left.length - Math.floor(limitBytes / Number(SEGMENT_BYTES)) + 1;
    const spare = left.filter(({ systemId, segment }) => lanes.some((lane) => lane.has(systemId, segment)));
    const dropped = excess > 0 ? spare.slice(0, excess) : [];
    const addresses = new Set(absentees);
    for (const each of dropped) {
      for (const lane of lanes) if (!lane.has(each.systemId, each.segment)) addresses.add(lane.address);
      await remove(spool, each, lanes);
    }
    this.#waiting = left.filter((each) => !dropped.includes(each));
    if (dropped.length === 0) return;
    onEvent({
      kind: 'dropped',
      segments: dropped.map(({ segment }) => segment),
      addresses: [...addresses],
    });
  }
}

/** The oldest first. */
async function wholeSegments(spool: string): Promise<readonly Waiting[]> {
  const found: Waiting[] = [];
  for (const systemId of await readdir(spool).catch(() => [])) {
    const folder = join(spool, systemId);
    for (const segment of await readdir(folder).catch(() => [])) {
      const about = placeOf(segment) && (await stat(join(folder, segment)).catch(absent));
      if (about) found.push({ systemId, segment, at: about.mtimeMs });
    }
  }
  return found.toSorted((one, other) => one.at - other.at || (one.segment < other.segment ? -1 : 1));
}

async function remove(spool: string, { systemId, segment }: Waiting, lanes: readonly Lane[]): Promise<void> {
  await rm(join(spool, systemId, segment), { force: true });
  for (const lane of lanes) lane.forget(systemId, segment);
}

function inMebibytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MiB`;
}

function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error instanceof Error
    ? new BackupProblem('unavailable', `The log on this machine cannot be read: ${error.message}.`, {
        cause: error,
      })
    : error;
}
