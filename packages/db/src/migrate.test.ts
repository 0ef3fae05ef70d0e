import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type MigrateOptions, migrate, migrationStatus } from './migrate.ts';
import { migrationNames } from './migration-files.ts';
import { DatabaseRefusal } from './refusal.ts';

let database: TestDatabase;
let directory: string;

beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  directory = await mkdtemp(join(tmpdir(), 'calculaud-migrations-'));
});
afterEach(async () => {
  await database.drop();
  await rm(directory, { recursive: true });
});

const connectionString = () => database.url('owner');
const run = (options: Partial<MigrateOptions> = {}) =>
  migrate({ connectionString: connectionString(), ...options });
const file = (name: string, text: string) => writeFile(join(directory, name), text);

async function rows(query: string): Promise<Record<string, unknown>[]> {
  return (await database.pool.query<Record<string, unknown>>(query)).rows;
}

async function tables(): Promise<string[]> {
  const found = await rows(
    "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
  );
  return found.map((row) => String(row['relname'])).toSorted();
}

describe('the migrations of the product', () => {
  test('bring an empty database up to date; a second run finds nothing to do', async () => {
    const names = await migrationNames();
    const { applied } = await run({ appliedBy: '1.2.3' });
    expect(applied).toEqual(names);
    const before = await rows('select * from schema_migration order by number');
    expect(before).toHaveLength(names.length + 1);
    expect(before[1]).toMatchObject({ number: 1, name: 'tables', app_version: '1.2.3', breaking: false });

    expect(await run({ appliedBy: '9.9.9' })).toEqual({ applied: [], left: [] });
    expect(await rows('select * from schema_migration order by number')).toEqual(before);
  });

  test('give a new database its reference data, with the ids that clients know', async () => {
    await run();
    expect(await rows('select id, name from responsible_authority order by id')).toEqual([
      { id: 1, name: 'IT Department' },
      { id: 2, name: 'Finance Team' },
      { id: 3, name: 'Security Office' },
    ]);
    expect(await rows('select array_agg(name order by id) as names from budget_source')).toEqual([
      {
        names: [
          'IT Operations Budget',
          'Capital Expenditure Fund',
          'Research & Development',
          'Infrastructure Modernization',
        ],
      },
    ]);
    expect(
      await rows(`select id, name, display_name, value_required, responsible_authority_id as authority
        from stage_type where id in (6, 7, 13, 18) order by id`),
    ).toEqual([
      { id: 6, name: 'emf_id', display_name: 'EMF ID', value_required: true, authority: 1 },
      { id: 7, name: 'information_security', display_name: 'במ', value_required: false, authority: 3 },
      { id: 13, name: 'Committees', display_name: 'ועדות', value_required: false, authority: 2 },
      { id: 18, name: 'order_id', display_name: 'מספר הזמנה', value_required: true, authority: 1 },
    ]);
    const flows = await rows(`
      select f.id, f.flow_name, string_agg(level, ' ' order by priority) as levels
      from predefined_flow f
      join (
        select predefined_flow_id, priority, string_agg(stage_type_id::text, '+' order by s.id) as level
        from predefined_flow_stage s group by predefined_flow_id, priority
      ) l on l.predefined_flow_id = f.id
      group by f.id order by f.id`);
    expect(flows).toEqual([
      { id: 1, flow_name: 'ILS_FLOW', levels: '6 7+8+9 10 7 11 12 13 14 18' },
      { id: 2, flow_name: 'SUPPORT_USD_FLOW', levels: '6 7+8+9 10 7 11 16 14 18' },
      { id: 3, flow_name: 'AVAILABLE_USD_FLOW', levels: '6 7+8+9 10 7 11 15 16 14 18' },
      { id: 4, flow_name: 'MIXED_USD_FLOW', levels: '6 7+8+9 10 7 11 15 16 14 18' },
      { id: 5, flow_name: 'SUPPORT_USD_ABOVE_400K_FLOW', levels: '6 7+8+9 10 7 11 12 17 16 14 18' },
      { id: 6, flow_name: 'MIXED_USD_ABOVE_400K_FLOW', levels: '6 7+8+9 10 7 11 15 12 17 16 14 18' },
    ]);
  });

  test('let later rows get ids after the reference data', async () => {
    await run();
    expect(await rows("insert into stage_type (name, display_name) values ('x', 'x') returning id")).toEqual([
      { id: 19 },
    ]);
    expect(await rows("insert into budget_source (name) values ('x') returning id")).toEqual([{ id: 5 }]);
    expect(await rows("insert into predefined_flow (flow_name) values ('x') returning id")).toEqual([
      { id: 7 },
    ]);
    expect(
      await rows(
        'insert into predefined_flow_stage (predefined_flow_id, stage_type_id, priority) values (7, 6, 1) returning id > 60 as later',
      ),
    ).toEqual([{ later: true }]);
  });

  test('write no reference data a second time', async () => {
    await run();
    await database.pool.query('delete from budget_source');
    await run();
    expect(await rows('select id from budget_source')).toEqual([]);
  });
});

describe('the runner', () => {
  test('applies each file once when two run at the same time', async () => {
    const lines: string[] = [];
    const both = await Promise.all([
      run({ log: (line) => lines.push(line) }),
      run({ log: (line) => lines.push(line) }),
    ]);
    const names = await migrationNames();
    expect(both.map(({ applied }) => applied.length).toSorted((a, b) => a - b)).toEqual([0, names.length]);
    expect(lines).toContain('Another process migrates this database; waiting until it is done.');
    expect(await rows('select number from schema_migration')).toHaveLength(names.length + 1);
  });

  test('refuses a file that was changed after it had been applied, by its name', async () => {
    await file('0001_first.sql', 'create table first (id int);');
    await run({ directory });
    await file('0001_first.sql', 'create table first (id bigint);');
    await file('0002_second.sql', 'create table second (id int);');
    await expect(run({ directory })).rejects.toThrow('0001_first.sql was changed');
    expect(await tables()).toEqual(['first', 'schema_migration']);
  });

  test('leaves nothing of a migration that fails, and all of those before it', async () => {
    await file('0001_first.sql', 'create table first (id int);');
    await file('0002_second.sql', 'create table second (id int); select 1 / 0;');
    await expect(run({ directory })).rejects.toThrow('0002_second.sql failed: division by zero');
    expect(await tables()).toEqual(['first', 'schema_migration']);
    await file('0002_second.sql', 'create table second (id int);');
    expect(await run({ directory })).toEqual({ applied: [{ number: 2, name: 'second' }], left: [] });
  });

  test('lets others through when a lock is not to be had, and comes back', async () => {
    await file('0001_first.sql', 'create table first (id int);');
    await run({ directory });
    await file('0002_second.sql', 'create table second (id int); alter table first add column name text;');
    const holder = await lockedTable('first');
    let released: Promise<unknown> | undefined;
    const lines: string[] = [];
    const result = await run({
      directory,
      lockTimeoutMs: 20,
      log: (line) => {
        lines.push(line);
        released ??= holder.query('commit');
      },
    });
    expect(result.applied).toEqual([{ number: 2, name: 'second' }]);
    expect(lines[0]).toContain('0002_second.sql waits for a lock that others hold; attempt 2');
    await released;
    await holder.end();
  });

  test.each([
    { role: 'owner', tells: /, holds first, last statement at 2\d{3}-[^\n]+Z$/ },
    // Others' times are hidden from the owner.
    { role: 'superuser', tells: /, holds first$/ },
  ] as const)(
    'gives up on a lock that a $role keeps, and says on which file and because of whom',
    async ({ role, tells }) => {
      await file('0001_first.sql', 'create table first (id int);');
      await run({ directory });
      await file('0002_second.sql', 'create table second (id int); alter table first add column name text;');
      const holder = await lockedTable('first', role === 'owner' ? connectionString() : undefined);
      await holder.query(`set application_name = 'a long report'`);
      const refusal: unknown = await run({ directory, lockTimeoutMs: 20, attempts: 2 }).catch(
        (error: unknown) => error,
      );
      expect(refusal).toBeInstanceOf(DatabaseRefusal);
      const { message, hint } = refusal instanceof DatabaseRefusal ? refusal : { message: '', hint: '' };
      expect(message).toBe(
        'The migration 0002_second.sql was not applied: in 2 attempts it did not get a lock that others hold.',
      );
      const { rows: known } = await holder.query<{ pid: number }>('select pg_backend_pid() as pid');
      expect(hint).toContain(`\n  process ${known[0]?.pid} (a long report, as `);
      expect(hint).toMatch(tells);
      expect(await tables()).toEqual(['first', 'schema_migration']);
      await holder.end();
    },
  );

  test('that is killed in the middle of a migration leaves nothing of it; the next run completes it', async () => {
    await file('0001_first.sql', 'create table first (id int);');
    await run({ directory });
    await file('0002_second.sql', 'create table second (id int); alter table first add column name text;');
    const holder = await lockedTable('first');
    const killed = run({ directory, lockTimeoutMs: 60_000 });
    killed.catch(() => undefined);
    await holder.query(terminateWhoWaitsForLock);
    await expect(killed).rejects.toThrow('0002_second.sql failed');
    expect(await tables()).toEqual(['first', 'schema_migration']);
    await holder.end();
    expect(await run({ directory })).toEqual({ applied: [{ number: 2, name: 'second' }], left: [] });
    expect(await tables()).toEqual(['first', 'schema_migration', 'second']);
  });

  test('runs a marked file outside a transaction, also while a second runner waits', async () => {
    await file('0001_first.sql', 'create table first (id int);');
    await file(
      '0002_index.sql',
      `-- An index of a table in use.
-- calculaud: no-transaction
drop index concurrently if exists first_id_idx;
create index concurrently first_id_idx on first (id);
`,
    );
    await Promise.all([run({ directory }), run({ directory })]);
    expect(await rows("select indisvalid from pg_index where indexrelid = 'first_id_idx'::regclass")).toEqual(
      [{ indisvalid: true }],
    );
  });

  test('waits as long as it takes for what is built concurrently: nobody waits behind it', async () => {
    await file('0001_first.sql', 'create table first (id int); create table seen (lock_timeout text);');
    await run({ directory });
    await file(
      '0002_index.sql',
      `-- calculaud: no-transaction
drop index concurrently if exists first_id_idx;
create index concurrently first_id_idx on first (id);
insert into seen values (current_setting('lock_timeout'));
`,
    );
    const holder = await connected();
    await holder.query('begin; lock table first in row exclusive mode');
    const lines: string[] = [];
    const built = run({ directory, lockTimeoutMs: 20, log: (line) => lines.push(line) });
    await holder.query(untilSomebodyWaits);
    // Longer than the lock timeout, by the server's clock; whoever writes is let through.
    const writer = await connected();
    await writer.query(`select pg_sleep(0.1); set lock_timeout = 1; insert into first values (1)`);
    await holder.query('commit');
    await built;
    expect(lines).toEqual([expect.stringContaining('Applied 0002_index.sql')]);
    expect(await rows('select * from seen')).toEqual([{ lock_timeout: '20ms' }]);
    await holder.end();
    await writer.end();
  });

  test.each([
    ['reader', 'select count(*) from first'],
    ['writer', 'insert into first (id) values (1)'],
  ])('holds a %s up for less than a second while somebody keeps what it needs', async (_, statement) => {
    await file('0001_first.sql', 'create table first (id int);');
    await run({ directory });
    await file('0002_second.sql', 'alter table first add column name text;');
    const longReport = await connected();
    await longReport.query('begin; select count(*) from first');
    const lines: string[] = [];
    const migrating = run({ directory, log: (line) => lines.push(line) });
    await longReport.query(untilSomebodyWaits);
    const other = await connected();
    // The server itself refuses to wait longer. It is through while the report still holds its lock.
    await other.query(`set lock_timeout = '1s'`);
    await other.query(statement);
    await longReport.query('commit');
    expect((await migrating).applied).toEqual([{ number: 2, name: 'second' }]);
    expect(lines[0]).toContain('0002_second.sql waits for a lock that others hold');
    await other.end();
    await longReport.end();
  });

  test('gives up what it has when others wait for that while it waits itself', async () => {
    await file('0001_first.sql', 'create table first (id int); create table second (id int);');
    await run({ directory });
    await file('0002_both.sql', 'alter table first add name text; alter table second add name text;');
    const longReport = await connected();
    await longReport.query('begin; select count(*) from second');
    // Its own timeout would not end its wait.
    const migrating = run({ directory, lockTimeoutMs: 60_000 });
    await longReport.query(untilSomebodyWaits);
    const reader = await connected();
    await reader.query(`set lock_timeout = '1s'; select count(*) from first`);
    await longReport.query('commit');
    expect((await migrating).applied).toEqual([{ number: 2, name: 'both' }]);
    await reader.end();
    await longReport.end();
  });

  test('records which migration older code cannot run on', async () => {
    await file('0001_first.sql', 'create table first (id int);');
    await file('0002_second.sql', '-- Renames.\n-- calculaud: breaking\nalter table first rename to second;');
    await run({ directory });
    expect(
      await rows('select number, breaking from schema_migration where number > 0 order by number'),
    ).toEqual([
      { number: 1, breaking: false },
      { number: 2, breaking: true },
    ]);
  });

  test.each([
    ['two files of one number', ['0001_a.sql', '0001_b.sql'], 'Two migrations have the number 1.'],
    ['a name that is none', ['first.sql'], 'first.sql is not named like a migration'],
    ['the number zero', ['0000_a.sql'], 'Migrations are numbered from 0001.'],
  ])('refuses %s', async (_, names, message) => {
    for (const name of names) await file(name, 'select 1;');
    await expect(run({ directory })).rejects.toThrow(message);
  });

  test('leaves a database of the predecessor alone and says what to do', async () => {
    await database.pool.query(
      'create table alembic_version (version_num varchar(32)); create table purpose (id int)',
    );
    await expect(run()).rejects.toMatchObject({
      message: expect.stringContaining('belongs to the predecessor'),
      hint: expect.stringContaining('calculaud db takeover'),
    });
    expect(await tables()).toEqual(['alembic_version', 'purpose']);
  });

  test('leaves a database with tables of something else alone', async () => {
    await database.pool.query('create table invoices (id int)');
    await expect(run()).rejects.toThrow('already holds tables of something else: invoices.');
    expect(await tables()).toEqual(['invoices']);
  });
});

describe('the phases', () => {
  const lines: string[] = [];
  const phase = (choice: 'expand' | 'contract') =>
    run({ directory, phase: choice, log: (line) => lines.push(line) });
  const labels = (migrations: readonly { number: number }[]) => migrations.map(({ number }) => number);

  beforeEach(async () => {
    lines.length = 0;
    await file('0001_first.sql', 'create table first (id int);');
    await run({ directory });
    await database.pool.query(
      `insert into schema_migration (number, name, checksum, duration_ms, breaking) values (0, 'in use', '', 0, false)`,
    );
    await file('0002_more.sql', 'alter table first add name text;');
    await file('0003_less.sql', '-- calculaud: breaking\nalter table first drop id;');
    await file('0004_table.sql', 'create table second (id int);');
  });

  test('expand stops before the first contract migration and says so', async () => {
    const { applied, left } = await phase('expand');
    expect([labels(applied), labels(left)]).toEqual([[2], [3, 4]]);
    expect(lines.at(-1)).toBe(
      'Left: 0003_less, 0004_table; the first is a contract migration, which the version before cannot run on (--phase contract).',
    );
    expect(await tables()).toEqual(['first', 'schema_migration']);
    expect(labels((await phase('expand')).applied)).toEqual([]);
  });

  test('contract comes after expand and stops before the next expand migration', async () => {
    await expect(phase('contract')).rejects.toMatchObject({
      message: 'Expand migrations come first and are not applied: 0002_more.',
      hint: 'Run `calculaud db migrate --phase expand`.',
    });
    await phase('expand');
    const { applied, left } = await phase('contract');
    expect([labels(applied), labels(left)]).toEqual([[3], [4]]);
    expect(labels((await phase('expand')).applied)).toEqual([4]);
    expect(await phase('contract')).toEqual({ applied: [], left: [] });
  });

  test('a database that no version has used yet gets all of them', async () => {
    await database.pool.query('delete from schema_migration where number = 0');
    expect(labels((await phase('expand')).applied)).toEqual([2, 3, 4]);
  });
});

describe('the status', () => {
  const status = () => migrationStatus({ connectionString: connectionString(), directory });

  test('of an empty database: everything is pending', async () => {
    await file('0001_first.sql', 'select 1;');
    expect(await status()).toEqual({
      state: 'empty',
      ledger: [],
      applied: [],
      used: false,
      pending: [{ number: 1, name: 'first', breaking: false }],
      known: [{ number: 1, name: 'first', breaking: false }],
      newer: [],
      changed: [],
    });
    expect(await tables()).toEqual([]);
  });

  test('tells applied, pending, changed and newer migrations apart', async () => {
    await file('0001_first.sql', 'select 1;');
    await file('0003_newer.sql', 'select 3;');
    await run({ directory });
    await file('0001_first.sql', 'select 1.5;');
    await rm(join(directory, '0003_newer.sql'));
    await file('0002_second.sql', 'select 2;');
    expect(await status()).toMatchObject({
      state: 'ours',
      applied: [{ number: 1 }, { number: 3 }],
      pending: [{ number: 2, name: 'second' }],
      newer: [{ number: 3, name: 'newer' }],
      changed: [{ number: 1, name: 'first' }],
    });
  });

  test.each([
    ['the predecessor', 'create table alembic_version (version_num text)', 'predecessor'],
    ['something else', 'create table invoices (id int)', 'foreign'],
  ])('knows tables of %s', async (_, statement, state) => {
    await database.pool.query(statement);
    expect((await status()).state).toBe(state);
  });
});

async function lockedTable(table: string, url = database.superuserUrl()): Promise<pg.Client> {
  const client = await connected(url);
  await client.query(`begin; lock table ${table} in access exclusive mode`);
  return client;
}

async function connected(connectionString = database.superuserUrl()): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return client;
}

/** Looks until somebody waits for a lock, an event that PostgreSQL does not announce; then does what is asked. */
const whenSomebodyWaits = (then: string) => `do $$
declare waiting integer;
begin
  loop
    select a.pid into waiting from pg_locks l join pg_stat_activity a using (pid)
    where not l.granted and a.datname = current_database();
    exit when waiting is not null;
    perform pg_stat_clear_snapshot();
    perform pg_sleep(0.005);
  end loop;
  ${then}
end $$`;
const untilSomebodyWaits = whenSomebodyWaits('');
const terminateWhoWaitsForLock = whenSomebodyWaits('perform pg_terminate_backend(waiting);');
