import { setTimeout as pause } from 'node:timers/promises';
import {
  Logger,
  type ParsedCronItem,
  parseCronItems,
  type Runner,
  run,
  type TaskList,
} from 'graphile-worker';
import pg from 'pg';
import type { FastifyBaseLogger } from 'fastify';
import type { Services } from './services.ts';

/**
 * Work of a feature that nobody waits for. It may be cut off anywhere, and it may run twice at the same time: it must
 * bear both.
 */
export interface Job {
  /** `<feature>.<verb>` */
  readonly name: string;
  /** When it runs: minute, hour, day, month and weekday of UTC, as in a crontab. */
  readonly schedule: string;
  run(services: Services, context: JobContext): Promise<void>;
}

export interface JobContext {
  readonly log: FastifyBaseLogger;
  /** Aborted when the worker stops: the rest is for the next run. */
  readonly signal: AbortSignal;
}

export interface RunningJobs {
  /** Takes no more jobs, and waits for those that run, not longer than the drain timeout. */
  stop(): Promise<void>;
}

/** A job that fails is tried again after longer and longer pauses, until its next scheduled run takes over. */
const ATTEMPTS = 10;
const RESTART_MS = 2000;
/** What is left of the drain timeout for closing the database. */
const CLOSING_MS = 1500;
const STUCK_AFTER = 4;

/**
 * Runs the jobs on their schedule until told to stop. Several processes may do so: the queue in the database gives each
 * run to one of them. When the database goes away, it begins again as soon as that is back.
 */
export async function runJobs(
  jobs: readonly Job[],
  services: Services,
  connectionString: string,
  log: FastifyBaseLogger,
): Promise<RunningJobs> {
  const pool = new pg.Pool({
    connectionString,
    max: 4,
    application_name: 'calculaud worker',
    keepAlive: true,
  });
  // A connection that breaks fails the query in progress; without listeners it would end the process.
  pool.on('error', (error) => log.warn({ err: error }, 'a connection of the job queue broke'));
  pool.on('connect', (client) => client.on('error', () => undefined));

  // A worker that stops lets its jobs finish for half of the time that it has, then tells them; those that do not
  // listen are left behind.
  const leaveMs = Math.max(services.config.http.drainTimeoutMs - CLOSING_MS, 0);
  const tellMs = leaveMs / 2;

  const start = async (): Promise<Runner> => {
    const runner = await run({
      pgPool: pool,
      taskList: tasks(jobs, services, log),
      parsedCronItems: cron(jobs),
      concurrency: 2,
      noHandleSignals: true,
      gracefulShutdownAbortTimeout: tellMs,
      // Without a delay the library does not wait until the end of a job is written down, nor for its failure to be.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      logger: queueLogger(log),
    });
    stopWhenStuck(runner);
    return runner;
  };

  const stopping = new AbortController();
  let runner = await start().catch(async (error: unknown) => {
    await pool.end();
    throw error;
  });

  const keepRunning = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await runner.promise;
      } catch (error) {
        log.error({ err: error }, 'the job queue stopped; it is started again');
      }
      await pause(RESTART_MS, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      try {
        runner = await start();
        if (stopping.signal.aborted) await runner.stop();
      } catch (error) {
        log.error({ err: error }, 'the job queue does not start; it is tried again');
      }
    }
  };
  const running = keepRunning();

  return {
    stop: async () => {
      stopping.abort();
      // It refuses to be stopped only when it has stopped by itself.
      const stopped = runner.stop().then(undefined, () => undefined);
      const inTime = new AbortController();
      await Promise.race([
        stopped.then(() => running),
        pause(leaveMs, undefined, { signal: inTime.signal }).catch(() => undefined),
      ]);
      inTime.abort();
      await pool.end();
    },
  };
}

/**
 * The library remembers an error of its first question to the database for ever. A runner that cannot get at the queue
 * several times in a row makes way for a new one.
 */
function stopWhenStuck(runner: Runner): void {
  let failures = 0;
  const works = (): void => {
    failures = 0;
  };
  runner.events.on('worker:getJob:empty', works);
  runner.events.on('job:start', works);
  runner.events.on('worker:getJob:error', () => {
    failures += 1;
    if (failures === STUCK_AFTER) runner.stop('the job queue cannot be read').catch(() => undefined);
  });
}

function tasks(jobs: readonly Job[], services: Services, log: FastifyBaseLogger): TaskList {
  return Object.fromEntries(
    jobs.map((job) => [
      job.name,
      async (_payload, { abortSignal }) => {
        const begin = performance.now();
        await job.run(services, { log, signal: abortSignal });
        log.debug({ job: job.name, ms: Math.round(performance.now() - begin) }, 'job done');
      },
    ]),
  );
}

function cron(jobs: readonly Job[]): ParsedCronItem[] {
  return parseCronItems(
    jobs.map(({ name, schedule }) => ({
      task: name,
      match: schedule,
      // One waiting run of each job at most; a later one takes the place of an earlier one that keeps failing. They
      // do not wait for each other: a run whose process was killed counts as running for hours.
      options: { jobKey: name, maxAttempts: ATTEMPTS },
    })),
  );
}

/** What the library says goes where everything else goes; its word for a failed job is an error. */
function queueLogger(log: FastifyBaseLogger): Logger {
  const levels = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const;
  return new Logger(({ taskIdentifier, jobId }) => (level, message, meta) => {
    const error = meta?.['error'];
    log[levels[level]](
      {
        ...(taskIdentifier ? { job: taskIdentifier } : {}),
        ...(jobId ? { job_id: jobId } : {}),
        ...(error instanceof Error ? { err: error } : {}),
      },
      message,
    );
  });
}
