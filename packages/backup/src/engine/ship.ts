import { open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { formatLsn, parseLsn, placeOf, SEGMENT_BYTES } from '../postgres/lsn.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository } from '../repository/repository.ts';

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
  /** Brings what there is, as far as the repositories can be reached. */
  stop(): Promise<void>;
}

export interface ShippingOptions {
  /** Where the receiver puts what it gets. */
  readonly spool: string;
  readonly repositories: readonly Repository[];
  /** Trouble with one repository, and its end. */
  readonly onEvent: (event: ShippingEvent) => void;
}

export type ShippingEvent =
  | { readonly kind: 'trouble'; readonly address: string; readonly reason: string; readonly problem: unknown }
  | { readonly kind: 'well-again'; readonly address: string };

/** The open segment goes out so often, when it has grown: what is lost with this machine at most. */
const TURN_MS = 5000;
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [1000, 30_000];
const HISTORY = /^([0-9A-F]{8})\.history$/;

/** Takes the log from the disk of this machine to every repository. One that is dead holds up no other. */
export function startShipping({ spool, repositories, onEvent }: ShippingOptions): Shipping {
  const lanes = new Map(
    repositories.map((repository) => [repository.address, new Lane(spool, repository, onEvent)]),
  );
  const all = [...lanes.values()];
  const sweeping = new AbortController();
  const sweeper = sweep(spool, all, sweeping.signal);
  return {
    position: (address) => lanes.get(address)?.position,
    waitFor: async (address, systemId, lsn, signal) => {
      const lane = lanes.get(address);
      if (!lane) throw new Error(`nothing is shipped to ${address}`);
      await lane.waitFor(systemId, lsn, signal);
    },
    wake: () => {
      for (const lane of all) lane.wake();
    },
    stop: async () => {
      await Promise.all(all.map((lane) => lane.stop()));
      sweeping.abort();
      await sweeper;
    },
  };
}

/** What one repository has, and what it gets next. */
class Lane {
  position: ShippedPosition | undefined;
  readonly #spool: string;
  readonly #repository: Repository;
  readonly #onEvent: ShippingOptions['onEvent'];
  readonly #done = new Set<string>();
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  /** How much of the open segments is there: one of each timeline. */
  readonly #partials = new Map<string, number>();
  #wake = new AbortController();
  #waiting: (() => void)[] = [];
  #troubled = false;

  constructor(spool: string, repository: Repository, onEvent: ShippingOptions['onEvent']) {
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
      await this.#repository.putPartialSegment({ systemId, segment }, buffer.subarray(0, bytesRead));
      this.#partials.set(name, bytesRead);
      this.#reached(systemId, segment, BigInt(bytesRead));
    } finally {
      await file.close();
    }
  }

  #reached(systemId: string, segment: string, bytes: bigint): void {
    const place = placeOf(segment);
    if (!place) return;
    const { timeline, start } = place;
    const { position } = this;
    // What an older timeline left open says nothing of where the server is.
    if (position?.systemId === systemId && timeline < position.timeline) return;
    this.position = { systemId, timeline, lsn: formatLsn(start + bytes), at: new Date() };
  }
}

/** What every repository has is not needed here any more. */
async function sweep(spool: string, lanes: readonly Lane[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const systemId of await readdir(spool).catch(() => [])) {
      const segments = (await readdir(join(spool, systemId)).catch(() => [])).filter((name) => placeOf(name));
      for (const segment of segments) {
        if (!lanes.every((lane) => lane.has(systemId, segment))) continue;
        await rm(join(spool, systemId, segment), { force: true });
        for (const lane of lanes) lane.forget(systemId, segment);
      }
    }
    await pause(TURN_MS, undefined, { signal }).catch(() => undefined);
  }
}

function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error instanceof Error
    ? new BackupProblem('unavailable', `The log on this machine cannot be read: ${error.message}.`, {
        cause: error,
      })
    : error;
}
