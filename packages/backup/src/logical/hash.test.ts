import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tableDigests } from './hash.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await database.pool.query(`
    create table one (id int primary key, text text, at timestamptz);
    insert into one values (1, 'a', '2026-01-01 00:00Z'), (2, 'b', null);
    create table two (at timestamptz, text text, id int);
    insert into two select at, text, id from one order by id desc`);
});
afterAll(async () => {
  await database.drop();
});

async function digest(table: string): Promise<unknown> {
  const [found] = await tableDigests(database.url('owner'), { tables: [table] });
  expect(found).toMatchObject({ table, digest: expect.stringMatching(/^[0-9a-f]{32}$/) });
  return { rows: found?.rows, digest: found?.digest };
}

test('equal rows have an equal digest, however they and their columns are ordered and a database tells the time', async () => {
  const before = await digest('one');
  expect(await digest('two')).toEqual(before);
  await database.pool.query(`alter database ${database.name} set timezone = 'Asia/Riyadh'`);
  expect(await digest('one')).toEqual(before);
});

test('whatever changes in a row, the digest does', async () => {
  const seen = new Set([JSON.stringify(await digest('one'))]);
  const changes = [
    "update one set text = 'A' where id = 1",
    'update one set text = null where id = 1',
    "update one set text = '' where id = 1",
    "update one set at = at + interval '1 microsecond' where id = 1",
    'delete from one where id = 1',
    'insert into one (id) select generate_series(10, 20)',
    'delete from one',
  ];
  for (const change of changes) {
    await database.pool.query(change);
    const next = JSON.stringify(await digest('one'));
    expect(seen).not.toContain(next);
    seen.add(next);
  }
});

test('a table that is not there is no empty table', async () => {
  await expect(tableDigests(database.url('owner'), { tables: ['three'] })).rejects.toThrow('three');
});
