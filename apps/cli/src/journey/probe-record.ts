import type { HttpOutcome } from '../host/http-message.ts';
import { Histogram, type Latencies } from './histogram.ts';
import type { StepFailure } from './journey-events.ts';
import { FIRST_PHASE, type ProbeEvent, type ProbeFailure, type ProbeSummary } from './probe-events.ts';

/** One request, when it was over. */
export interface Finished {
  readonly target: string;
  readonly kind: string;
  readonly request: string;
  readonly outcome: HttpOutcome;
  /** What is wrong with the answer; null: nothing. */
  readonly problem: string | null;
  /** Its time says nothing about the server: an upload takes as long as the prober wants. */
  readonly untimed?: true;
}

const LISTED_FAILURES = 100;
const LISTED_SLOWEST = 10;
const EXCERPT = 300;

class Tally {
  sent = 0;
  failed = 0;
  readonly #histogram = new Histogram();

  add(ms: number | null, failed: boolean): void {
    this.sent += 1;
    if (failed) this.failed += 1;
    if (ms !== null) this.#histogram.add(ms);
  }

  figures(): { sent: number; failed: number } & Latencies {
    return { sent: this.sent, failed: this.failed, ...this.#histogram.latencies() };
  }
}

class Tallies {
  readonly #tallies = new Map<string, Tally>();

  of(name: string): Tally {
    const known = this.#tallies.get(name);
    if (known) return known;
    const tally = new Tally();
    this.#tallies.set(name, tally);
    return tally;
  }

  figures(): Record<string, ReturnType<Tally['figures']>> {
    return Object.fromEntries([...this.#tallies].map(([name, tally]) => [name, tally.figures()]));
  }
}

type Pair = Extract<ProbeEvent, { event: 'window' }>['pairs'][number];

/** Counts what came of the requests: all of them, by phase, by target, by kind, and in the window that is open. */
export class ProbeRecord {
  readonly #emit: (event: ProbeEvent) => void;
  readonly #begin = performance.now();
  readonly #all = new Tally();
  readonly #phases = new Tallies();
  readonly #targets = new Tallies();
  readonly #kinds = new Tallies();
  readonly #inFlight = new Map<string, number>();
  readonly #failures: ProbeFailure[] = [];
  #slowest: ProbeSummary['slowest'] = [];
  #phase = FIRST_PHASE;
  #window = new Tallies();
  #pairs: Pair[] = [];
  #windowLag = 0;
  #worstLag = 0;

  constructor(targets: readonly string[], emit: (event: ProbeEvent) => void) {
    this.#emit = emit;
    for (const target of targets) this.#inFlight.set(target, 0);
  }

  /** Milliseconds since the start. */
  now(): number {
    return Math.round(performance.now() - this.#begin);
  }

  get phase(): string {
    return this.#phase;
  }

  get open(): number {
    return [...this.#inFlight.values()].reduce((sum, count) => sum + count, 0);
  }

  mark(phase: string): void {
    this.#phase = phase;
    this.#emit({ event: 'mark', at_ms: this.now(), phase });
  }

  began(target: string): void {
    this.#inFlight.set(target, (this.#inFlight.get(target) ?? 0) + 1);
  }

  /** It counts to the phase in which it ended: one that was under way at the switch was met by it. */
  finished({ target, kind, request, outcome, problem, untimed }: Finished): void {
    this.#inFlight.set(target, (this.#inFlight.get(target) ?? 0) - 1);
    const ms = untimed ? null : outcome.ms;
    const phase = this.#phase;
    for (const tally of [
      this.#all,
      this.#phases.of(phase),
      this.#targets.of(target),
      this.#kinds.of(kind),
      this.#window.of(target),
    ]) {
      tally.add(ms, problem !== null);
    }
    const at_ms = this.now();
    if (ms !== null) this.#noteSlow({ at_ms, phase, target, kind, ms: outcome.ms });
    if (problem === null) return;
    const id = outcome.answered ? outcome.headers['x-request-id'] : undefined;
    const failure: ProbeFailure = {
      at_ms,
      phase,
      target,
      kind,
      request,
      what: problem,
      status: outcome.answered ? outcome.status : null,
      ms: outcome.ms,
      body: outcome.answered ? outcome.body.slice(0, EXCERPT) : outcome.words,
      request_id: typeof id === 'string' ? id : null,
    };
    if (this.#failures.length < LISTED_FAILURES) this.#failures.push(failure);
    this.#emit({ event: 'failure', ...failure });
  }

  /** At the end the system could not be asked for what was written. */
  notSettled(target: string, { request, came, status, body, request_id }: StepFailure): void {
    const { phase } = this;
    const at_ms = this.now();
    this.#emit({
      event: 'failure',
      at_ms,
      phase,
      target,
      kind: 'settle',
      request,
      what: came,
      status,
      ms: 0,
      body,
      request_id,
    });
  }

  pair(pair: Omit<Pair, 'at_ms'>): void {
    this.#pairs.push({ ...pair, at_ms: this.now() });
  }

  lag(ms: number): void {
    this.#windowLag = Math.max(this.#windowLag, ms);
    this.#worstLag = Math.max(this.#worstLag, ms);
  }

  closeWindow(): void {
    const counted = this.#window.figures();
    const nothing = { sent: 0, failed: 0, p50_ms: null, p99_ms: null, max_ms: null };
    const targets = [...this.#inFlight].map(
      ([target, in_flight]) => [target, { ...(counted[target] ?? nothing), in_flight }] as const,
    );
    this.#emit({
      event: 'window',
      at_ms: this.now(),
      phase: this.#phase,
      lag_ms: this.#windowLag,
      targets: Object.fromEntries(targets),
      pairs: this.#pairs,
    });
    this.#window = new Tallies();
    this.#pairs = [];
    this.#windowLag = 0;
  }

  summary(more: Pick<ProbeSummary, 'writes' | 'uploads'>): ProbeSummary {
    return {
      seconds: this.now() / 1000,
      sent: this.#all.sent,
      failed: this.#all.failed,
      phases: this.#phases.figures(),
      targets: this.#targets.figures(),
      kinds: this.#kinds.figures(),
      ...more,
      worst_lag_ms: this.#worstLag,
      slowest: this.#slowest,
      failures: this.#failures,
      more_failures: this.#all.failed - this.#failures.length,
    };
  }

  #noteSlow(slow: ProbeSummary['slowest'][number]): void {
    const least = this.#slowest.at(-1);
    if (this.#slowest.length === LISTED_SLOWEST && least && least.ms >= slow.ms) return;
    this.#slowest = [...this.#slowest, slow].toSorted((a, b) => b.ms - a.ms).slice(0, LISTED_SLOWEST);
  }
}
