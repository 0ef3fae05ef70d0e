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

  describe('with migrations of both phases', () => {
    const newest = async () => {
      const { rows } = await database.pool.query<{ label: string }>(
        `select lpad(number::text, 4, '0') || '_' || name as label from schema_migration order by number desc limit 1`,
      );
      return rows[0]?.label;
    };
    beforeEach(async () => {
      await calculaud('db migrate', environment);
    });

    test('the status tells the phase of each, what this version knows, and who runs on the schema', async () => {
      const known = await newest();
      await database.pool.query(
        `insert into schema_migration (number, name, checksum, duration_ms, breaking, app_version)
         values (9000, 'of_tomorrow', '', 0, true, '9.0.0')`,
      );
      const [status] = (await calculaud('db status --json', environment)).events();
      expect(status).toMatchObject({
        migrations: expect.arrayContaining([
          expect.objectContaining({ migration: '0001_tables', phase: 'expand' }),
          expect.objectContaining({ migration: '9000_of_tomorrow', phase: 'contract', applied_by: '9.0.0' }),
        ]),
        lowest_application: '9000_of_tomorrow',
        knows: known,
        needs: known,
      });
    });

    test('a version that fits says so', async () => {
      const fit = await calculaud('db fit --json', environment);
      expect(fit.exitCode).toBe(0);
      expect(fit.events()).toMatchObject([{ starts: 'now', rollback_stays_possible: true, pending: [] }]);
    });

    test('a version that lacks an expand migration says what it would apply, and applies nothing', async () => {
      const last = await newest();
      await database.pool.query(
        'delete from schema_migration where number = (select max(number) from schema_migration)',
      );
      const before = await newest();
      const fit = await calculaud('db fit --json', environment);
      expect(fit.exitCode).toBe(0);
      expect(fit.events()).toMatchObject([
        {
          event: 'database_fit',
          starts: 'after_expand',
          rollback_stays_possible: true,
          pending: [{ migration: last, phase: 'expand', running_fits_after: true }],
        },
      ]);
      expect(await newest()).toBe(before);
      const plan = await calculaud('db migrate --plan --phase contract --json', environment);
      expect(plan).toMatchObject({ exitCode: 0 });
      expect(plan.events()).toMatchObject([{ pending: [], left: [{ migration: last, phase: 'expand' }] }]);
      const refused = await calculaud('db migrate --phase contract', environment);
      expect(refused.exitCode).toBe(3);
      expect(refused.stderr).toContain('db migrate --phase expand');
    });

    test('a version that is too old for the schema says why', async () => {
      await database.pool.query(
        `insert into schema_migration (number, name, checksum, duration_ms, breaking)
         values (9000, 'of_tomorrow', '', 0, true)`,
      );
      const fit = await calculaud('db fit', environment);
      expect(fit.exitCode).toBe(2);
      expect(fit.stdout).toContain('cannot start on the database: it cannot run on 9000_of_tomorrow.');
    });

    test('there is no way back to a version that does not know a contract migration', async () => {
      await database.pool.query('update schema_migration set breaking = true where number = 5');
      expect((await calculaud('db fit', environment)).exitCode).toBe(0);
      const fit = await calculaud('db fit --running-knows 0004_derived_columns', environment);
      expect(fit.exitCode).toBe(2);
      expect(fit.stdout).toContain('There is no way back');
      expect((await calculaud('db fit --running-knows none', environment)).exitCode).toBe(3);
    });
  });

  test('a database of something else, or of the predecessor, is for no version', async () => {
    await database.pool.query('create table alembic_version (version_num text)');
    const fit = await calculaud('db fit', environment);
    expect(fit.exitCode).toBe(2);
    expect(fit.stdout).toContain('it belongs to the predecessor');
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
