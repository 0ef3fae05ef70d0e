import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from './database.ts';
import { StatementNames } from './prepared.ts';

let testDatabase: TestDatabase;
const opened: Database[] = [];

beforeAll(async () => {
  testDatabase = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((db) => db.close()));
});
afterAll(() => testDatabase.drop());

function open(options: Partial<Parameters<typeof openDatabase>[0]> = {}): Database {
  const db = openDatabase({
    connectionString: testDatabase.url('app'),
    poolSize: 1,
    statementTimeoutMs: 5000,
    applicationName: 'calculaud test',
    ...options,
  });
  opened.push(db);
  return db;
}

async function one(db: Database, query: ReturnType<typeof sql>): Promise<unknown> {
  return (await query.execute(db)).rows[0];
}

test('values arrive as the database has them', async () => {
  const row = await one(
    open(),
    sql`select
      '2024-02-29'::date as day, array['2024-02-29'::date, null] as days,
      9007199254740993::int8 as big, 0.30::numeric as exact, array[1.10]::numeric[] as exacts,
      '2024-01-01T00:00:00.123Z'::timestamptz as at, 1::int4 as small, null::date as nothing`,
  );
  expect(row).toEqual({
    day: '2024-02-29',
    days: ['2024-02-29', null],
    big: '9007199254740993',
    exact: '0.30',
    exacts: ['1.10'],
    at: new Date('2024-01-01T00:00:00.123Z'),
    small: 1,
    nothing: null,
  });
});

test('every connection has the settings', async () => {
  const row = await one(
    open({ statementTimeoutMs: 1234, idleInTransactionTimeoutMs: 4321 }),
    sql`select current_setting('jit') as jit, current_setting('max_parallel_workers_per_gather') as workers,
      current_setting('timezone') as zone,
      current_setting('statement_timeout') as statement, current_setting('application_name') as name,
      current_setting('idle_in_transaction_session_timeout') as idle`,
  );
  expect(row).toEqual({
    jit: 'off',
    workers: '0',
    zone: 'UTC',
    statement: '1234ms',
    idle: '4321ms',
    name: 'calculaud test',
  });
});

test('settings in the connection string are kept beside ours', async () => {
  const url = new URL(testDatabase.url('app'));
  for (const at of ['first', 'last']) {
    const own = 'options=-c%20work_mem%3D5MB+-c+extra_float_digits%3D2';
    url.search = at === 'first' ? `?${own}&${url.search.slice(1)}` : `${url.search}&${own}`;
    const row = await one(
      open({ connectionString: url.href }),
      sql`select current_setting('work_mem') as memory, current_setting('extra_float_digits') as digits,
        current_setting('jit') as jit`,
    );
    expect(row).toEqual({ memory: '5MB', digits: '2', jit: 'off' });
    url.search = new URL(testDatabase.url('app')).search;
  }
});

test('a statement that takes too long is cancelled', async () => {
  const db = open({ statementTimeoutMs: 20 });
  await expect(sql`select pg_sleep(10)`.execute(db)).rejects.toThrow('statement timeout');
});

test('a statement that opens with a comment is prepared once per connection, another one never', async () => {
  const db = open();
  for (const id of [1, 2, 3]) {
    await sql`/* purpose by id */ select id from purpose where id = ${id}`.execute(db);
    await sql`select id from purpose where id = ${id}`.execute(db);
  }
  const { rows } = await sql<{
    name: string;
  }>`select name, generic_plans + custom_plans as runs from pg_prepared_statements`.execute(db);
  expect(rows).toEqual([{ name: expect.stringMatching(/^purpose by id [0-9a-f]{12}$/), runs: '3' }]);
});

test('texts that differ under the same comment get names that differ, and there is an end to names', () => {
  const names = new StatementNames();
  const first = names.nameOf('/* list */ select 1');
  expect(first).toMatch(/^list /);
  expect(names.nameOf('/* list */ select 2')).not.toBe(first);
  expect(names.nameOf('/* list */ select 1')).toBe(first);
  expect(names.nameOf('select /* list */ 1')).toBeUndefined();
  for (let text = 0; text < 400; text += 1) names.nameOf(`/* list */ select ${text}`);
  expect(names.nameOf('/* list */ select 1')).toBe(first);
  expect(names.nameOf('/* list */ select 500')).toBeUndefined();
  expect(names.nameOf(`/* ${'long '.repeat(30)} */ select 1`)?.length ?? 0).toBeLessThan(64);
});

test('a prepared statement outlives a migration that changes its columns', async () => {
  const db = open();
  await testDatabase.pool.query('create table changing (id int); insert into changing values (1)');
  const read = () => sql`/* changing */ select * from changing`.execute(db).then(({ rows }) => rows);
  expect(await read()).toEqual([{ id: 1 }]);
  await testDatabase.pool.query('alter table changing add column name text');
  expect(await read()).toEqual([{ id: 1, name: null }]);
  expect(await read()).toEqual([{ id: 1, name: null }]);
});

test('a connection that breaks while nobody uses it is told of and replaced', async () => {
  let tell: (error: Error) => void = () => undefined;
  const broken = new Promise<Error>((resolve) => {
    tell = resolve;
  });
  const db = open({ onIdleError: (error) => tell(error) });
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
  await sql`select pg_terminate_backend(${rows[0]?.pid})`.execute(open());
  expect((await broken).message).toContain('terminating connection');
  expect(await one(db, sql`select 1 as alive`)).toEqual({ alive: 1 });
});

test('a database that was never used closes all the same', async () => {
  const db = open();
  await db.close();
  opened.pop();
  expect(db.pool.ended).toBe(true);
});
