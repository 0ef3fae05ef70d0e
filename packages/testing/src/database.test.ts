import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from './database.ts';

let one: TestDatabase;
let other: TestDatabase;

beforeAll(async () => {
  [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
});

afterAll(async () => {
  await Promise.all([one.drop(), other.drop()]);
});

test('two databases have the same schema and nothing else in common', async () => {
  const tables = 'select array_agg(relname order by relname) as names from pg_class where relkind = $1';
  const [mine, theirs] = await Promise.all([one.pool.query(tables, ['r']), other.pool.query(tables, ['r'])]);
  expect(mine.rows).toEqual(theirs.rows);

  await one.pool.query('create table only_here (id int)');
  const seen = await other.pool.query("select to_regclass('only_here') as it");
  expect(seen.rows).toEqual([{ it: null }]);
});

test('the copy brings the migrated tables along; an empty database has none', async () => {
  const empty = await createTestDatabase({ empty: true });
  try {
    const purposes = "select to_regclass('purpose') is not null as there";
    expect((await one.pool.query(purposes)).rows).toEqual([{ there: true }]);
    expect((await empty.pool.query(purposes)).rows).toEqual([{ there: false }]);
  } finally {
    await empty.drop();
  }
});

test('dropping ends connections that the tested code left open', async () => {
  const database = await createTestDatabase();
  const left = new Client({ connectionString: database.url('app') });
  const broken = new Promise<void>((resolve) => left.on('error', () => resolve()));
  await left.connect();
  await database.drop();
  await broken;
  await expect(left.query('select 1')).rejects.toThrow(/not queryable|terminated/);
});
