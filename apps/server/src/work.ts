import { pino } from 'pino';
import { fileJobs } from './files/jobs.ts';
import { flagJobs } from './flags/jobs.ts';
import { idempotencyJobs } from './platform/idempotency.ts';
import { type Job, type RunningJobs, runJobs } from './platform/jobs.ts';
import type { Services } from './platform/services.ts';

/** The only list of all background work. */
const jobs: readonly Job[] = [...fileJobs, ...flagJobs, ...idempotencyJobs];

/** Runs the background work of all features. The connection goes straight to the database: it holds a LISTEN. */
export async function startWorker(services: Services, connectionString: string): Promise<RunningJobs> {
  const log = pino({ level: services.config.log.level, name: 'worker' });
  const running = await runJobs(jobs, services, connectionString, log);
  log.info({ jobs: jobs.map(({ name }) => name) }, 'the worker takes jobs');
  return running;
}
