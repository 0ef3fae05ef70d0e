import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrate } from './migrate.ts';
import { assertSchemaFits } from './schema-fit.ts';

let database: TestDatabase;
const clients: pg.Client[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await database.drop();
});

async function as(role: 'app' | 'worker' | 'readonly' | 'backup' | 'owner'): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url(role) });
  await client.connect();
  clients.push(client);
  return client;
}

const denied = { code: '42501' };

describe.each(['app', 'worker'] as const)('the role of the %s', (role) => {
  test('does everything that the business needs, triggers included', async () => {
    const client = await as(role);
    const { rows } = await client.query<{ id: number }>(`
      with o as (insert into purpose (description) values ('needed') returning id)
      insert into purchase (purpose_id) select id from o returning purpose_id as id`);
    await client.query(`
      insert into stage (stage_type_id, purchase_id, priority) select 6, max(id), 1 from purchase;
      insert into cost (purchase_id, currency, amount) select max(id), 'ILS', 1.5 from purchase;
      update stage set completion_date = '2024-01-01', value = 'x';
      update purpose set status = 'SIGNED'`);
    const { rows: history } = await client.query(
      'select new_status from purpose_status_history where purpose_id = $1 order by id',
      [rows[0]?.id],
    );
    expect(history).toEqual([{ new_status: 'IN_PROGRESS' }, { new_status: 'SIGNED' }]);
    await client.query('delete from purpose');
    await assertSchemaFits(client);
  });

  test.each([
    "update audit_entry set action = 'insert'",
    'delete from audit_entry',
    'truncate audit_entry',
    "insert into schema_migration values (99, 'x', 'x', now(), 1, false, 'x')",
    'delete from schema_migration',
    'drop table purpose',
    'alter table purpose disable trigger all',
    'create table mine (id int)',
    'truncate purpose cascade',
  ])('may not %s', async (statement) => {
    await expect((await as(role)).query(statement)).rejects.toMatchObject(denied);
  });
});

test.each(['readonly', 'backup'] as const)(
  'the role %s reads everything and writes nothing',
  async (role) => {
    const client = await as(role);
    const { rows } = await client.query<{ name: string }>(
      "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
    );
    for (const { name } of rows) await client.query(`select from ${name} limit 1`);
    expect(rows.length).toBeGreaterThan(15);
    await client.query('select last_value from purpose_id_seq');
    await expect(client.query("insert into supplier (name) values ('x')")).rejects.toMatchObject(denied);
    await expect(client.query("select nextval('purpose_id_seq')")).rejects.toMatchObject(denied);
  },
);

test('a table of a newer version is usable at once; one of somebody else who was there before stays his', async () => {
  const owner = await as('owner');
  await owner.query('create table of_tomorrow (id serial primary key)');
  await (await as('app')).query('insert into of_tomorrow default values');
  await (await as('readonly')).query('select * from of_tomorrow');

  await owner.query('revoke all on of_tomorrow from calculaud_app');
  await migrate({ connectionString: database.url('owner') });
  await expect((await as('app')).query('select * from of_tomorrow')).rejects.toMatchObject(denied);
});

test('the queue of background jobs, whose rows only its owner sees, opens to app and worker', async () => {
  await migrate({ connectionString: database.url('owner') });
  await (await as('app')).query("select graphile_worker.add_job('send')");
  const take = "update graphile_worker._private_jobs set locked_by = 'me' returning locked_by";
  expect((await (await as('worker')).query(take)).rows).toEqual([{ locked_by: 'me' }]);
  await expect((await as('readonly')).query(take)).rejects.toMatchObject(denied);
});

test('a server that lets us create no roles is migrated all the same, and the missing ones are named', async () => {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'calculaud-roles-'));
  const server = await startEmbeddedPostgres({ dataDirectory, durability: 'none' });
  try {
    const superuser = new pg.Client({ connectionString: server.superuserConnectionString() });
    await superuser.connect();
    await superuser.query('drop role calculaud_readonly; drop role calculaud_worker');
    const lines: string[] = [];
    await migrate({ connectionString: server.connectionString('owner'), log: (line) => lines.push(line) });
    expect(lines.filter((line) => line.includes('does not let us create'))).toEqual([
      expect.stringContaining('calculaud_worker'),
      expect.stringContaining('calculaud_readonly'),
    ]);
    const app = new pg.Client({ connectionString: server.connectionString('app') });
    await app.connect();
    await app.query("insert into supplier (name) values ('x')");
    await app.end();

    // Who may create roles makes the missing ones.
    await superuser.query('alter role calculaud_owner createrole');
    await migrate({ connectionString: server.connectionString('owner') });
    const { rows } = await superuser.query(
      "select rolname, rolcanlogin from pg_roles where rolname in ('calculaud_readonly', 'calculaud_worker') order by 1",
    );
    expect(rows).toEqual([
      { rolname: 'calculaud_readonly', rolcanlogin: false },
      { rolname: 'calculaud_worker', rolcanlogin: false },
    ]);
    await superuser.end();
  } finally {
    await server.stop();
    await rm(dataDirectory, { recursive: true });
  }
});
