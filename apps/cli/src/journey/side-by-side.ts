import { z } from 'zod';
import type { HttpOutcome } from '../host/http-message.ts';
import { Api, type Sender } from './api.ts';
import { steadily } from './pace.ts';
import type { ProbeEvent, ProbeSummary } from './probe-events.ts';
import { ProbeRecord } from './probe-record.ts';
import { follow, makeOwn, OWN, type ProbeOptions, type ProbeTarget, problemOf } from './prober.ts';
import { sweep } from './sweep.ts';
import { type Probe, Traffic } from './traffic.ts';
import { Writes } from './writes.ts';

export interface SideOptions extends Omit<ProbeOptions, 'uploadSeconds'> {
  /** Sent to every server of the new side before anything counts: a version that has just started is slow. */
  readonly warmUp: number;
  /** Port on which the servers tell of their memory; without it only those are asked whose management is known. */
  readonly managementPort?: number | undefined;
  readonly memoryEveryMs: number;
  /** The servers behind a URL, as `host:port`. */
  readonly instancesOf: (url: string) => Promise<readonly string[]>;
  /** Speaks to any `host:port`, for the management port. */
  readonly plain: Sender;
}

export interface Side extends ProbeTarget {
  readonly name: 'old' | 'new';
  /** `host:port` where its only server tells of its memory, when that is not the usual port of the same host. */
  readonly management?: string | undefined;
}

const LOOK_UP_EVERY_MS = 2000;
/** Pairs at once. When everything is slow, comparing must not be what makes it slower. */
const MOST_OPEN = 5;

const processReport = z.object({
  version: z.string(),
  requests: z.int(),
  memory: z.object({ live_bytes: z.int(), rss_bytes: z.int() }),
});

/**
 * The same requests to the old and to the new version, one right after the other and in turns who comes first, so that
 * the two can be compared without any user. Both stand on the same database.
 */
export async function probeSideBySide(old: Side, fresh: Side, options: SideOptions): Promise<ProbeSummary> {
  const { emit, run, prefix, token, rate, windowMs, timeoutMs } = options;
  const api = new Api({ sender: old.sender, prefix, token, run: `probe-${run}`, timeoutMs });
  await sweep(api);
  const writes = new Writes(run);
  const own = await makeOwn(old, options, writes);
  const traffic = new Traffic({ prefix, token, run, own, writes: OWN });
  const record = new ProbeRecord([old.name, fresh.name], emit);
  emit({ event: 'started', run, targets: { old: old.url, new: fresh.url } });

  const end = new AbortController();
  void follow(options, record, () => undefined, end);
  const timer =
    options.durationMs === undefined ? undefined : setTimeout(() => end.abort(), options.durationMs);
  const windows = setInterval(() => record.closeWindow(), windowMs);
  const sides = new Sides(old, fresh, options);
  const couple = new Couple(sides, traffic, writes, record, timeoutMs);
  const open = new Set<Promise<void>>();
  const memory = new Memory(sides, options, record);
  try {
    await sides.lookUp();
    await couple.warmUp(options.warmUp, rate, end.signal);
    const reading = memory.goOn(end.signal);
    const lookingUp = setInterval(() => void sides.lookUp(), LOOK_UP_EVERY_MS);
    const act = () => {
      // While garbage is collected everything takes longer, and that says nothing.
      if (memory.reading || end.signal.aborted || open.size >= MOST_OPEN) return;
      const sent = couple.compare().finally(() => open.delete(sent));
      open.add(sent);
    };
    await steadily(rate, end.signal, act, (ms) => record.lag(ms));
    clearInterval(lookingUp);
    await Promise.all([...open, reading]);
  } finally {
    clearTimeout(timer);
    clearInterval(windows);
  }
  record.closeWindow();
  const settled = await writes.settle(api);
  if (settled.failure) record.notSettled(old.name, settled.failure);
  const summary = record.summary({
    writes: settled.writes,
    uploads: { sent: 0, failed: 0, bytes: 0, over_switch: 0 },
  });
  emit({ event: 'summary', ...summary });
  return summary;
}

/** The servers behind both names; they come and go. */
class Sides {
  readonly old: Side;
  readonly fresh: Side;
  readonly #instancesOf: SideOptions['instancesOf'];
  readonly #instances = new Map<string, readonly string[]>();
  readonly #turns = new Map<string, number>();

  constructor(old: Side, fresh: Side, { instancesOf }: SideOptions) {
    this.old = old;
    this.fresh = fresh;
    this.#instancesOf = instancesOf;
  }

  /** Whoever cannot be found now stays where he was. */
  async lookUp(): Promise<void> {
    for (const { name, url } of [this.old, this.fresh]) {
      const found = await this.#instancesOf(url).catch(() => []);
      if (found.length > 0) this.#instances.set(name, found);
    }
  }

  instances({ name }: Side): readonly string[] {
    return this.#instances.get(name) ?? [];
  }

  /** One after the other. */
  next(side: Side): string | undefined {
    const instances = this.instances(side);
    const turn = this.#turns.get(side.name) ?? 0;
    this.#turns.set(side.name, turn + 1);
    return instances[turn % Math.max(1, instances.length)];
  }
}

class Couple {
  readonly #sides: Sides;
  readonly #traffic: Traffic;
  readonly #writes: Writes;
  readonly #record: ProbeRecord;
  readonly #timeoutMs: number;
  #compared = 0;

  constructor(sides: Sides, traffic: Traffic, writes: Writes, record: ProbeRecord, timeoutMs: number) {
    this.#sides = sides;
    this.#traffic = traffic;
    this.#writes = writes;
    this.#record = record;
    this.#timeoutMs = timeoutMs;
  }

  async compare(): Promise<void> {
    const kind = this.#traffic.nextKind();
    const [toOld, toNew] = [this.#traffic.probe(kind), this.#traffic.probe(kind)];
    const { old, fresh } = this.#sides;
    this.#compared += 1;
    const oldFirst = this.#compared % 2 === 0;
    const first = await this.#send(oldFirst ? old : fresh, oldFirst ? toOld : toNew);
    const second = await this.#send(oldFirst ? fresh : old, oldFirst ? toNew : toOld);
    this.#record.pair({ kind, old: oldFirst ? first : second, new: oldFirst ? second : first });
  }

  /** No faster than what is measured later: a cold server that gets all it can take slows down the users of the old one. */
  async warmUp(requests: number, perSecond: number, signal: AbortSignal): Promise<void> {
    const { fresh } = this.#sides;
    const instances = this.#sides.instances(fresh);
    const enough = new AbortController();
    const open: Promise<unknown>[] = [];
    const act = () => {
      if (open.length >= requests * instances.length) enough.abort();
      else open.push(this.#send(fresh, this.#traffic.probe(this.#traffic.nextKind())));
    };
    await steadily(perSecond, AbortSignal.any([signal, enough.signal]), act, () => undefined);
    await Promise.all(open);
  }

  async #send(side: Side, { kind, request, expected, write }: Probe, instance = this.#sides.next(side)) {
    this.#record.began(side.name);
    const outcome = await side.sender.send({ ...request, instance, timeoutMs: this.#timeoutMs });
    if (write !== undefined) this.#writes.note(write, outcome);
    const problem = problemOf(outcome, expected);
    const words = `${request.method} ${request.path} at ${instance ?? side.url}`;
    this.#record.finished({ target: side.name, kind, request: words, outcome, problem });
    return { ok: problem === null, ms: outcome.ms, ...(problem === null ? {} : { problem }) };
  }
}

/**
 * Asks every so often what the servers keep, right after their garbage was collected. Users wait for the old version while
 * it does that, for 50 to 150 ms on a busy host: there one server is asked, and every other time.
 */
class Memory {
  readonly #sides: Sides;
  readonly #options: SideOptions;
  readonly #record: ProbeRecord;
  reading = false;
  #readings = 0;

  constructor(sides: Sides, options: SideOptions, record: ProbeRecord) {
    this.#sides = sides;
    this.#options = options;
    this.#record = record;
  }

  async goOn(signal: AbortSignal): Promise<void> {
    let last = Promise.resolve();
    const act = () => {
      if (!this.reading) last = this.#read();
    };
    await steadily(1000 / this.#options.memoryEveryMs, signal, act, () => undefined);
    await last;
  }

  async #read(): Promise<void> {
    this.reading = true;
    try {
      const { old, fresh } = this.#sides;
      if (this.#readings % 2 === 0) await this.#ask(old, this.#sides.instances(old)[0]);
      for (const instance of this.#sides.instances(fresh)) await this.#ask(fresh, instance);
      this.#readings += 1;
    } finally {
      this.reading = false;
    }
  }

  async #ask(side: Side, instance: string | undefined): Promise<void> {
    const { managementPort: port } = this.#options;
    const usual = port === undefined ? undefined : instance?.replace(/:\d+$/, `:${port}`);
    const address = side.management ?? usual;
    if (instance === undefined || address === undefined) return;
    const outcome: HttpOutcome = await this.#options.plain.send({
      method: 'POST',
      path: '/process/collect-garbage',
      instance: address,
      connection: 'new',
      timeoutMs: this.#options.timeoutMs,
    });
    // An older version that cannot tell is no reason to stop.
    const report =
      outcome.answered && outcome.status === 200
        ? processReport.safeParse(JSON.parse(outcome.body))
        : undefined;
    if (!report?.success) return;
    const { version, requests, memory } = report.data;
    const event: ProbeEvent = {
      event: 'memory',
      at_ms: this.#record.now(),
      target: side.name,
      instance,
      version,
      requests,
      ...memory,
    };
    this.#options.emit(event);
  }
}
