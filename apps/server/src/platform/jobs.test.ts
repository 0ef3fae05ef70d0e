import { EventEmitter, on, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '@calculaud/config/load';
import { openDatabase } from '@calculaud/db/database';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { startWorker } from '../work.ts';
import { type Job, type RunningJobs, runJobs } from './jobs.ts';
import type { Services } from './services.ts';
import { openStorage } from './storage.ts';

let folder: string;
let database: TestDatabase;
let services: Services;
let running: RunningJobs[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-test-jobs-'));
  database = await createTestDatabase();
  const config = loadConfig({
    CALCULAUD_DATA: folder,
    LOG_LEVEL: 'silent',
    CALCULAUD_DRAIN_TIMEOUT_MS: '5000',
  });
  const db = openDatabase({
    connectionString: database.url('worker'),
    poolSize: 2,
    statementTimeoutMs: 10_000,
    applicationName: 'calculaud test',
  });
  services = { config, db, storage: await openStorage(config.files.store) };
});

afterEach(async () => {
  await Promise.all(running.map((jobs) => jobs.stop()));
  running = [];
});

afterAll(async () => {
  await services.db.close();
  await database.drop();
  await rm(folder, { recursive: true });
});

/** Runs one job, which is due only when a test asks for it, as the role that workers have. */
async function start(run: Job['run'], log = pino({ level: 'silent' })): Promise<RunningJobs> {
  const job: Job = { name: 'test.job', schedule: '0 0 1 1 *', run };
  const jobs = await runJobs([job], services, database.url('worker'), log);
  running.push(jobs);
  return jobs;
}

const enqueue = async () => {
  await database.pool.query("select graphile_worker.add_job('test.job', '{}')");
};

test('a job runs with the services of the features', async () => {
  const runs = new EventEmitter();
  const ran = once(runs, 'run');
  await start(async (given) => {
    runs.emit('run', given);
  });
  await enqueue();
  expect(await ran).toEqual([services]);
});

test('the schedule is known to the queue, and every job of the product has a valid one', async () => {
  running.push(await startWorker(services, database.url('worker')));
  await expect
    .poll(async () => {
      const { rows } = await database.pool.query<{ identifier: string }>(
        'select identifier from graphile_worker._private_known_crontabs order by identifier',
      );
      return rows.map(({ identifier }) => identifier);
    })
    .toEqual(expect.arrayContaining(['files.sweep', 'flags.update']));
});

test('a job that fails is told of and tried again later', async () => {
  const lines = new EventEmitter();
  const log = pino({ level: 'error' }, { write: (line: string) => lines.emit('line', line) });
  const told = once(lines, 'line');
  await start(() => Promise.reject(new Error('the store is away')), log);
  await enqueue();
  expect(String(await told)).toContain('the store is away');
  await expect
    .poll(async () => {
      const { rows } = await database.pool.query<{ attempts: number; later: boolean; last_error: string }>(
        `select attempts, run_at > now() as later, last_error from graphile_worker.jobs where task_identifier = 'test.job'`,
      );
      return rows;
    })
    .toEqual([{ attempts: 1, later: true, last_error: 'the store is away' }]);
  await database.pool.query('select graphile_worker.complete_jobs(array_agg(id)) from graphile_worker.jobs');
});

test('a job that runs when the worker stops is finished and not run again', async () => {
  const steps = new EventEmitter();
  const started = once(steps, 'started');
  const jobs = await start(async (_services, { signal }) => {
    steps.emit('started');
    await once(steps, 'go on');
    steps.emit('finished', signal.aborted);
  });
  running = [];
  await enqueue();
  await started;
  const finished = once(steps, 'finished');
  const stopped = jobs.stop();
  steps.emit('go on');
  expect(await finished).toEqual([false]);
  await stopped;
  const left = await database.pool.query('select id from graphile_worker.jobs');
  expect(left.rows).toEqual([]);
});

test('stopping waits for the job that runs, and tells it', async () => {
  const steps = new EventEmitter();
  const seen = on(steps, 'step');
  const next = async () => String((await seen.next()).value);
  const jobs = await start(async (_services, { signal }) => {
    steps.emit('step', 'started');
    await once(signal, 'abort');
    steps.emit('step', 'told to stop');
  });
  await enqueue();
  expect(await next()).toBe('started');
  const stopped = jobs.stop().then(() => steps.emit('step', 'stopped'));
  running = [];
  expect(await next()).toBe('told to stop');
  expect(await next()).toBe('stopped');
  await stopped;
});

test('a job that does not listen does not hold up the end for ever', async () => {
  const steps = new EventEmitter();
  const started = once(steps, 'started');
  const jobs = await start(async () => {
    steps.emit('started');
    await once(steps, 'never');
  });
  running = [];
  await enqueue();
  await started;
  await jobs.stop();
});

test('a run whose process was killed does not keep the next one waiting', async () => {
  await database.pool.query(`select graphile_worker.add_job('test.job', '{}', job_key => 'test.job')`);
  await database.pool.query(
    `update graphile_worker._private_jobs set locked_at = now(), locked_by = 'a worker that is no more'`,
  );
  const runs = new EventEmitter();
  const ran = once(runs, 'run');
  await start(async () => {
    runs.emit('run');
  });
  // As the schedule does it.
  await database.pool.query(
    `select graphile_worker.add_job('test.job', '{}', job_key => 'test.job', job_key_mode => 'replace')`,
  );
  await ran;
});

test('a worker leaves the jobs of a newer version to that, and both work side by side', async () => {
  const runs = new EventEmitter();
  const worker = async (version: string, ...names: string[]): Promise<void> => {
    const jobs = names.map((name) => ({
      name,
      schedule: '0 0 1 1 *',
      run: async () => {
        runs.emit(name, version);
      },
    }));
    running.push(await runJobs(jobs, services, database.url('worker'), pino({ level: 'silent' })));
  };
  const add = async (name: string) => {
    await database.pool.query(`select graphile_worker.add_job($1, '{}')`, [name]);
  };
  await worker('old', 'test.known');
  await add('test.unknown');
  const known = once(runs, 'test.known');
  await add('test.known');
  expect(await known).toEqual(['old']);
  const left = await database.pool.query(
    `select task_identifier, attempts, locked_at, last_error from graphile_worker.jobs where task_identifier like 'test.%'
     order by task_identifier desc limit 1`,
  );
  expect(left.rows).toEqual([
    { task_identifier: 'test.unknown', attempts: 0, locked_at: null, last_error: null },
  ]);
  const unknown = once(runs, 'test.unknown');
  await worker('new', 'test.known', 'test.unknown');
  expect(await unknown).toEqual(['new']);
  const again = once(runs, 'test.known');
  await add('test.known');
  expect(['old', 'new']).toContain((await again)[0]);
});

test('when the database throws everybody out, the jobs go on afterwards', async () => {
  const runs = new EventEmitter();
  await start(async () => {
    runs.emit('run');
  });
  const superuser = new pg.Client({ connectionString: database.superuserUrl() });
  await superuser.connect();
  const { rowCount } = await superuser.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name = 'calculaud worker'`,
  );
  await superuser.end();
  expect(rowCount).toBeGreaterThan(0);
  const ran = once(runs, 'run');
  await enqueue();
  await ran;
});
