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

/** Work of a feature that nobody waits for. It may run twice, so it must bear that. */
export interface Job {
  /** `<feature>.<verb>` */
  readonly name: string;
  /** When it runs: minute, hour, day, month and weekday of UTC, as in a crontab. */
  readonly schedule: string;
  run(services: Services, context: JobContext): Promise<void>;
}

export interface JobContext {
  readonly log: FastifyBaseLogger;
  /** Aborted some seconds after the worker was told to stop: the rest is for the next run. */
  readonly signal: AbortSignal;
}

export interface RunningJobs {
  /** Takes no more jobs, and waits for those that run. */
  stop(): Promise<void>;
}

/** A job that fails is tried again after longer and longer pauses, until its next scheduled run takes over. */
const ATTEMPTS = 10;
const RESTART_MS = 2000;

/**
 * Runs the jobs on their schedule until told to stop. Several processes may do so at the same time: the queue in the
 * database gives each run to one of them, and never two runs of the same job at once. When the database goes away, it
 * begins again as soon as that is back.
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

  const start = (): Promise<Runner> =>
    run({
      pgPool: pool,
      taskList: tasks(jobs, services, log),
      parsedCronItems: cron(jobs),
      concurrency: 2,
      noHandleSignals: true,
      logger: queueLogger(log),
    });

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
      await runner.stop().catch(() => undefined);
      await running;
      await pool.end();
    },
  };
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
      // One waiting run of each job at most; a later one takes the place of an earlier one that keeps failing.
      options: { jobKey: name, queueName: name, maxAttempts: ATTEMPTS },
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
