import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDataDirectory } from '@calculaud/embedded/lock';
import { startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { calculaud } from '../../testing/command-line.ts';

describe('on a server of its own', () => {
  let database: TestDatabase;
  let environment: Record<string, string>;
  beforeEach(async () => {
    database = await createTestDatabase({ empty: true });
    environment = { DATABASE_URL: database.url('owner') };
  });
  afterEach(() => database.drop());

  test('an empty database is planned, migrated, verified', async () => {
    const before = await calculaud('db status --json', environment);
    expect(before.exitCode).toBe(2);
    expect(before.events()).toMatchObject([{ event: 'database_status', state: 'empty', applied: [] }]);

    const plan = await calculaud('db migrate --plan', environment);
    expect(plan.exitCode).toBe(2);
    expect(plan.stdout).toContain('+ 0001_tables');
    expect((await calculaud('db status', environment)).exitCode).toBe(2);

    const migrated = await calculaud('db migrate --json', environment);
    expect(migrated.exitCode).toBe(0);
    expect(migrated.events()).toContainEqual({ version: 1, event: 'applied', migration: '0001_tables' });
    expect(migrated.events().at(-1)).toMatchObject({ event: 'verified' });

    const after = await calculaud('db status', environment);
    expect(after.exitCode).toBe(0);
    expect(after.stdout).toContain('The database is as this version needs it.');
  });

  test('a second migration finds nothing to do', async () => {
    await calculaud('db migrate', environment);
    const again = await calculaud('db migrate', environment);
    expect(again).toMatchObject({ exitCode: 0, stdout: '' });
    expect(again.stderr).toContain('Nothing to apply.');
    expect((await calculaud('db migrate --plan', environment)).exitCode).toBe(0);
  });

  test("somebody else's tables are left alone", async () => {
    await database.pool.query('create table theirs (id integer)');
    const { exitCode, stderr } = await calculaud('db migrate', environment);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('theirs');
    expect((await calculaud('db status', environment)).stdout).toContain('tables of something else');
  });
});

describe('on the embedded server', () => {
  let environment: { CALCULAUD_DATA: string };
  beforeAll(() => {
    environment = { CALCULAUD_DATA: mkdtempSync(join(tmpdir(), 'calculaud-cli-test-')) };
  });
  afterAll(() => {
    rmSync(environment.CALCULAUD_DATA, { recursive: true });
  });

  test('looking does not make a database', async () => {
    const { exitCode, stderr } = await calculaud('db status', environment);
    expect(exitCode).toBe(3);
    expect(stderr).toContain('There is no database in');
  });

  test('the server is started for the time of the command', async () => {
    expect((await calculaud('db migrate', environment)).exitCode).toBe(0);
    expect((await calculaud('db status', environment)).exitCode).toBe(0);
  }, 30_000);

  test('a data folder that another process holds without a server that answers is told by its own exit code', async () => {
    const lock = await lockDataDirectory(join(environment.CALCULAUD_DATA, 'run'));
    try {
      const { exitCode, stderr } = await calculaud('db status', environment);
      expect(exitCode).toBe(6);
      expect(stderr).toContain(`Calculaud already runs on this data folder: process ${process.pid} holds`);
    } finally {
      lock.release();
    }
    expect((await calculaud('db status', environment)).exitCode).toBe(0);
  }, 30_000);

  test('a running server is used and left running', async () => {
    const server = await startEmbeddedPostgres({ dataDirectory: environment.CALCULAUD_DATA });
    try {
      expect((await calculaud('db status', environment)).exitCode).toBe(0);
      const running = await Promise.race([server.onExit, Promise.resolve('running')]);
      expect(running).toBe('running');
    } finally {
      await server.stop();
    }
  });
});
