import { defaultIntervals, dueAt, type Intervals, limitOf } from './due.ts';
import {
  type LastRun,
  type LastRuns,
  NEVER_RAN,
  readLastRuns,
  TASKS,
  type Task,
  writeLastRuns,
} from './last-runs.ts';

export type Work = (signal: AbortSignal) => Promise<void>;

export type ScheduleEvent =
  | { readonly kind: 'started'; readonly task: Task }
  | { readonly kind: 'succeeded'; readonly task: Task; readonly durationMs: number }
  | { readonly kind: 'failed'; readonly task: Task; readonly words: string; readonly error: unknown }
  /** The file of last runs; what is scheduled goes on. */
  | { readonly kind: 'trouble'; readonly words: string };

export interface ScheduleOptions {
  /** Its own file of last runs. */
  readonly path: string;
  /** What is not named does not run. */
  readonly work: Readonly<Partial<Record<Task, Work>>>;
  readonly seed: string;
  readonly onEvent: (event: ScheduleEvent) => void;
  readonly intervals?: Partial<Intervals>;
  readonly now?: () => Date;
  readonly limit?: (run: LastRun) => number;
}

export interface Schedule {
  lastRuns(): LastRuns;
  /** When a task begins next; undefined when it waits for another one, or does not run here. */
  nextAt(task: Task): Date | undefined;
  /** Begins what is due. It is called every half a minute; a clock that was moved is noticed no later. */
  look(): void;
  /** Begins it now, or joins the run that goes on. Rejects with what the run failed of. */
  runNow(task: Task): Promise<void>;
  /** Ends what runs, and waits for it. */
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 30_000;

/** A plain timer, so that backups of a broken database go on. */
export async function startSchedule(options: ScheduleOptions): Promise<Schedule> {
  const { runs, since, damaged } = await readLastRuns(options.path);
  if (damaged !== undefined) options.onEvent({ kind: 'trouble', words: damaged });
  const schedule = new Runner(options, runs, since ?? options.now?.() ?? new Date());
  await schedule.countKilledRuns();
  const timer = setInterval(() => schedule.look(), LOOK_EVERY_MS);
  schedule.look();
  return {
    lastRuns: () => schedule.runs,
    nextAt: (task) => schedule.nextAt(task),
    look: () => schedule.look(),
    runNow: async (task) => schedule.runNow(task),
    stop: async () => {
      clearInterval(timer);
      await schedule.stop();
    },
  };
}

class Runner {
  readonly runs: Map<Task, LastRun>;
  readonly #options: ScheduleOptions;
  readonly #intervals: Intervals;
  readonly #since: Date;
  readonly #running = new Map<Task, Promise<void>>();
  readonly #ended = new AbortController();
  #writing: Promise<void> = Promise.resolve();

  constructor(options: ScheduleOptions, runs: LastRuns, since: Date) {
    this.#options = options;
    this.#since = since;
    this.#intervals = { ...defaultIntervals, ...options.intervals };
    this.runs = new Map(runs);
  }

  /** A run that was under way when the process was killed has failed; so one that kills it is not begun over and over. */
  async countKilledRuns(): Promise<void> {
    for (const [task, run] of this.runs) {
      if (run.runningSince === null) continue;
      const words = `It began at ${run.runningSince}, and the process was ended before it.`;
      this.#options.onEvent({ kind: 'failed', task, words, error: undefined });
      this.#change(task, {
        runningSince: null,
        endedAt: this.#now().toISOString(),
        failures: run.failures + 1,
      });
    }
    await this.#writing;
  }

  nextAt(task: Task): Date | undefined {
    if (!this.#options.work[task]) return undefined;
    const { seed } = this.#options;
    return dueAt(task, this.runs, {
      now: this.#now(),
      since: this.#since,
      intervals: this.#intervals,
      seed,
    });
  }

  look(): void {
    for (const task of TASKS) {
      const at = this.nextAt(task);
      // What it fails of is told by its event.
      if (at && at <= this.#now() && !this.#running.has(task)) this.runNow(task).catch(() => undefined);
    }
  }

  async runNow(task: Task): Promise<void> {
    this.#ended.signal.throwIfAborted();
    const work = this.#options.work[task];
    if (!work) throw new Error(`nothing to run as ${task}`);
    const running = this.#running.get(task);
    if (running) return running;
    // It stays the one that runs until it really ends, also after its limit.
    const run = this.#run(task, work).finally(() => this.#running.delete(task));
    this.#running.set(task, run);
    return run;
  }

  async stop(): Promise<void> {
    this.#ended.abort(new Error('the service is being stopped'));
    await Promise.allSettled(this.#running.values());
    await this.#writing;
  }

  async #run(task: Task, work: Work): Promise<void> {
    const { onEvent, limit = limitOf } = this.#options;
    const startedAt = this.#now().toISOString();
    const before = this.runs.get(task) ?? NEVER_RAN;
    this.#change(task, { runningSince: startedAt });
    // The clock may be moved meanwhile; this one is not.
    const began = performance.now();
    const limitMs = limit(before);
    const overdue = new AbortController();
    const timer = setTimeout(() => {
      const words = `It was ended after its limit of ${Math.ceil(limitMs / 60_000)} minutes.`;
      overdue.abort(new Error(words));
      onEvent({ kind: 'failed', task, words, error: overdue.signal.reason });
      this.#change(task, { ...this.#failed(before), durationMs: Math.round(limitMs) });
    }, limitMs);
    onEvent({ kind: 'started', task });
    try {
      await work(AbortSignal.any([this.#ended.signal, overdue.signal]));
      overdue.signal.throwIfAborted();
    } catch (error) {
      if (!overdue.signal.aborted && !this.#ended.signal.aborted) {
        const words = error instanceof Error ? error.message : String(error);
        onEvent({ kind: 'failed', task, words, error });
        this.#change(task, this.#failed(before));
      }
      // A service that is stopped begins it again at its next start.
      this.#change(task, { runningSince: null });
      throw error;
    } finally {
      clearTimeout(timer);
    }
    const durationMs = Math.round(performance.now() - began);
    const endedAt = this.#now().toISOString();
    this.#change(task, {
      succeeded: { startedAt, endedAt },
      durationMs,
      endedAt,
      failures: 0,
      runningSince: null,
    });
    onEvent({ kind: 'succeeded', task, durationMs });
    // Something else may have waited for it.
    queueMicrotask(() => {
      if (!this.#ended.signal.aborted) this.look();
    });
  }

  #failed({ failures }: LastRun): Pick<LastRun, 'endedAt' | 'failures'> {
    return { endedAt: this.#now().toISOString(), failures: failures + 1 };
  }

  #change(task: Task, change: Partial<LastRun>): void {
    this.runs.set(task, { ...NEVER_RAN, ...this.runs.get(task), ...change });
    // One after the other. A disk that is full keeps no backup from being made.
    this.#writing = this.#writing.then(async () => {
      try {
        await writeLastRuns(this.#options.path, this.runs, this.#since);
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error);
        this.#options.onEvent({ kind: 'trouble', words });
      }
    });
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }
}
