import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildDataset, type DatasetCounts } from './dataset.ts';

const UNTIL = new Date('2026-06-30T12:00:00Z');

let database: TestDatabase;
let counts: DatasetCounts;
beforeAll(async () => {
  database = await createTestDatabase();
  counts = await buildDataset(database.superuserUrl(), { purposes: 400, until: UNTIL });
});
afterAll(() => database.drop());

async function text(sql: string): Promise<string> {
  const { rows } = await database.pool.query<{ text: string }>(sql);
  return rows[0]?.text ?? '';
}

test('the rows are as many as a real organisation would have', () => {
  expect(counts.purpose).toBe(400);
  expect(counts.purchase / counts.purpose).toBeCloseTo(1.2, 1);
  expect(counts.stage / counts.purchase).toBeGreaterThan(9);
  expect(counts.cost).toBeGreaterThan(counts.purchase);
});

test('what triggers would have derived is derived', async () => {
  const derived = `select md5(string_agg(t.row, ' ' order by t.row)) as text from (
    select concat_ws('|', 'purpose', id, version, last_modified, pending_authority_id, waiting_since) as row from purpose
    union all
    select concat_ws('|', 'purchase', id, version, current_priority, waiting_since, pending_authority_id) from purchase
    union all
    select concat_ws('|', 'stage', id, version, previous_completion_date, ready_at) from stage) t`;
  const built = await text(derived);
  await database.pool.query('select refresh_progress(array(select id from purpose))');
  expect(await text(derived)).toBe(built);
  const wrong = `select (
      (select count(*) from purpose o where current_status_changed_at is distinct from (
        select max(changed_at) from purpose_status_history h where h.purpose_id = o.id and h.new_status = o.status))
      + (select count(*) from analytics_of(array(select id from purchase)) f
        full join analytics_purchase a using (purchase_id) where a is distinct from f)
      + abs((select count(*) from purpose) - (select sum(change) from purpose_count)))::text as text`;
  expect(await text(wrong)).toBe('0');
});

test('every reference leads to a row, although nothing was checked meanwhile', async () => {
  const client = new pg.Client({ connectionString: database.superuserUrl() });
  await client.connect();
  try {
    const { rows } = await client.query<{ statement: string }>(
      `update pg_constraint set convalidated = false
       where contype = 'f' and connamespace = 'public'::regnamespace
       returning format('alter table %s validate constraint %I', conrelid::regclass, conname) as statement`,
    );
    expect(rows.length).toBeGreaterThan(20);
    for (const { statement } of rows) await client.query(statement);
  } finally {
    await client.end();
  }
});

test('the organisation goes on: new rows get free ids, and triggers see them', async () => {
  await database.pool.query(`insert into hierarchy (type, name) values ('UNIT', 'new')`);
  await database.pool.query(`insert into purpose (description) values ('new')`);
  await database.pool.query('insert into purchase (purpose_id) select max(id) from purpose');
  await database.pool.query(
    'insert into stage (purchase_id, stage_type_id, priority) select max(id), 6, 1 from purchase',
  );
  expect(await text('select current_priority::text as text from purchase order by id desc limit 1')).toBe(
    '1',
  );
});

test('the same size, seed and end make the same rows', async () => {
  const content = `select md5(string_agg(row, ' ' order by row)) as text from (
    select o::text as row from purpose o union all select s::text from stage s union all select c::text from cost c) rows`;
  const contents: string[] = [];
  for (let n = 0; n < 2; n += 1) {
    const other = await createTestDatabase();
    try {
      await buildDataset(other.superuserUrl(), { purposes: 50, until: UNTIL });
      const { rows } = await other.pool.query<{ text: string }>(content);
      contents.push(rows[0]?.text ?? '');
    } finally {
      await other.drop();
    }
  }
  expect(contents[0]).toBe(contents[1]);
});
