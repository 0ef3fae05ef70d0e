import { z } from 'zod';
import type { HttpOutcome, HttpRequest } from '../host/http-message.ts';
import { Api, type Sender } from './api.ts';
import { longUpload } from './long-upload.ts';
import { rareWord } from './marks.ts';
import { steadily } from './pace.ts';
import type { ProbeEvent, ProbeOrder, ProbeSummary } from './probe-events.ts';
import { ProbeRecord } from './probe-record.ts';
import { sweep } from './sweep.ts';
import { createPurpose, type Probe, Traffic } from './traffic.ts';
import { Writes } from './writes.ts';

export interface ProbeTarget {
  readonly name: string;
  readonly url: string;
  readonly sender: Sender;
  readonly http2: boolean;
}

export interface ProbeOptions {
  readonly prefix: string;
  readonly token: string;
  /** Distinct in every run; marks what it makes. */
  readonly run: string;
  /** Requests a second. */
  readonly rate: number;
  /** Without it, until the orders end. */
  readonly durationMs?: number | undefined;
  readonly windowMs: number;
  readonly timeoutMs: number;
  readonly uploadSeconds: number;
  /** Somebody wants it to end now, and to clean up. */
  readonly signal?: AbortSignal | undefined;
  /** Marks, and when to stop. */
  readonly orders: AsyncIterable<ProbeOrder>;
  readonly emit: (event: ProbeEvent) => void;
}

/** Purposes of the prober's own, which it looks at and changes all the time. */
export const OWN = 5;
/** More open requests than this say that nothing is answered; another one would say nothing new. */
const MOST_OPEN = 5000;

const created = z.object({ id: z.int() });
const file = z.object({ file_size: z.int() });

/**
 * Mixed traffic at a steady rate: reads, writes with a key, one long upload after the other; over connections that are
 * kept and new ones. Every failure is told at once; at the end every write is looked for.
 */
export async function probe(target: ProbeTarget, options: ProbeOptions): Promise<ProbeSummary> {
  const { emit, run, prefix, token, rate, windowMs } = options;
  const api = new Api({
    sender: target.sender,
    prefix,
    token,
    run: `probe-${run}`,
    timeoutMs: options.timeoutMs,
  });
  await sweep(api);
  const writes = new Writes(run);
  const own = await makeOwn(target, options, writes);
  const traffic = new Traffic({ prefix, token, run, own, writes: OWN });
  const record = new ProbeRecord([target.name], emit);
  emit({ event: 'started', run, targets: { [target.name]: target.url } });

  const end = new AbortController();
  const uploads = new Uploads(target, options, record, own[0] ?? 0);
  const uploading = uploads.goOn(end.signal);
  void follow(options, record, () => uploads.marked(), end);
  const timer =
    options.durationMs === undefined ? undefined : setTimeout(() => end.abort(), options.durationMs);
  const windows = setInterval(() => record.closeWindow(), windowMs);

  const open = new Set<Promise<void>>();
  const act = () => {
    const sent = send(target, traffic, writes, record, options.timeoutMs).finally(() => open.delete(sent));
    open.add(sent);
  };
  try {
    await steadily(rate, end.signal, act, (ms) => record.lag(ms));
    uploads.hurry();
    await Promise.all([...open, uploading]);
  } finally {
    clearTimeout(timer);
    clearInterval(windows);
  }
  record.closeWindow();
  const settled = await writes.settle(api);
  if (settled.failure) record.notSettled(target.name, settled.failure);
  const summary = record.summary({ writes: settled.writes, uploads: uploads.figures() });
  emit({ event: 'summary', ...summary });
  return summary;
}

/** These are writes like any other, only that nothing goes on without them. */
export async function makeOwn(
  target: ProbeTarget,
  options: Pick<ProbeOptions, 'prefix' | 'token' | 'run' | 'timeoutMs'>,
  writes: Writes,
): Promise<number[]> {
  const { prefix, token, run, timeoutMs } = options;
  const api = new Api({ sender: target.sender, prefix: '', token, run: `probe-${run}-own`, timeoutMs });
  const ids: number[] = [];
  for (let write = 1; write <= OWN; write += 1) {
    const { request } = createPurpose(write, { prefix, token, run, comments: rareWord(run) });
    const { method, path, headers = {}, body = '' } = request;
    const call = { method, path, headers, body: Buffer.from(body) };
    const answer = await api.expect(call, 201);
    writes.note(write, answer);
    ids.push(created.parse(JSON.parse(answer.body)).id);
  }
  return ids;
}

async function send(
  target: ProbeTarget,
  traffic: Traffic,
  writes: Writes,
  record: ProbeRecord,
  timeoutMs: number,
): Promise<void> {
  const { kind, request, expected, write }: Probe = traffic.probe(traffic.nextKind());
  const connection = traffic.nextConnection(target.http2);
  const words = `${request.method} ${request.path}${connection === 'keep-alive' ? '' : ` (${connection})`}`;
  const finished = (outcome: HttpOutcome) =>
    record.finished({
      target: target.name,
      kind,
      request: words,
      outcome,
      problem: problemOf(outcome, expected),
    });
  record.began(target.name);
  if (record.open > MOST_OPEN) {
    finished({
      answered: false,
      problem: 'unreachable',
      words: `${MOST_OPEN} requests are open already`,
      ms: 0,
    });
    return;
  }
  const outcome = await target.sender.send({ ...request, connection, timeoutMs });
  if (write !== undefined) writes.note(write, outcome);
  finished(outcome);
}

export function problemOf(outcome: HttpOutcome, expected: number): string | null {
  if (!outcome.answered) return outcome.problem;
  return outcome.status === expected ? null : `status ${outcome.status}`;
}

/** One at a time, from the beginning to the end. */
class Uploads {
  readonly #target: ProbeTarget;
  readonly #options: ProbeOptions;
  readonly #record: ProbeRecord;
  readonly #path: string;
  #current: { hurry(): void } | undefined;
  #figures = { sent: 0, failed: 0, bytes: 0, over_switch: 0 };

  constructor(target: ProbeTarget, options: ProbeOptions, record: ProbeRecord, purpose: number) {
    this.#target = target;
    this.#options = options;
    this.#record = record;
    this.#path = `${options.prefix}/purposes/${purpose}/files`;
  }

  async goOn(signal: AbortSignal): Promise<void> {
    if (this.#options.uploadSeconds === 0) return;
    while (!signal.aborted) await this.#one(signal);
  }

  hurry(): void {
    this.#current?.hurry();
  }

  /** The moment of a switch has come: the one that is under way has to survive it. */
  marked(): void {
    if (this.#current) this.#figures.over_switch += 1;
  }

  figures(): ProbeSummary['uploads'] {
    return { ...this.#figures };
  }

  async #one(signal: AbortSignal): Promise<void> {
    const { token, uploadSeconds, timeoutMs } = this.#options;
    const { name, sender } = this.#target;
    const upload = longUpload(this.#path, token, uploadSeconds);
    this.#current = upload;
    if (signal.aborted) upload.hurry();
    this.#record.began(name);
    const request: HttpRequest = { ...upload.request, timeoutMs: uploadSeconds * 1000 + timeoutMs };
    const outcome = await sender.send(request);
    this.#current = undefined;
    const problem = problemOf(outcome, 201) ?? wrongSize(outcome, upload.bytes);
    this.#figures.sent += 1;
    this.#figures.bytes += upload.bytes;
    if (problem !== null) this.#figures.failed += 1;
    this.#record.finished({
      target: name,
      kind: 'upload',
      request: `POST ${this.#path}`,
      outcome,
      problem,
      untimed: true,
    });
  }
}

function wrongSize(outcome: HttpOutcome, bytes: number): string | null {
  if (!outcome.answered) return null;
  const parsed = file.safeParse(JSON.parse(outcome.body));
  return parsed.data?.file_size === bytes ? null : `a file of another size than ${bytes}`;
}

/** Does what the orders say. Their end is the end of the prober, unless that has an end of its own. */
export async function follow(
  { orders, durationMs, signal }: Pick<ProbeOptions, 'orders' | 'durationMs' | 'signal'>,
  record: ProbeRecord,
  onMark: () => void,
  end: AbortController,
): Promise<void> {
  signal?.addEventListener('abort', () => end.abort(), { once: true });
  for await (const order of orders) {
    if ('mark' in order) {
      record.mark(order.mark);
      onMark();
    }
    if ('stop' in order) return end.abort();
  }
  if (durationMs === undefined) end.abort();
}
