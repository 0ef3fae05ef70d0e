import { createPurpose } from '@calculaud/contract/purposes';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
let id: number;

beforeAll(async () => {
  app = await testApp({ CALCULAUD_TIMEZONE: 'UTC' });
  await app.db.pool.query(`
    insert into responsible_authority (id, name) values (900, 'Comptroller');
    insert into stage_type (id, name, display_name, responsible_authority_id) values
      (900, 'letter', 'Letter of need', null), (901, 'approval', 'Approval', 900);
    update stage_type set responsible_authority_id = null where name = 'order_id';
    insert into budget_source (id, name) values (900, 'Budget A'), (901, 'Budget B')`);
});
afterAll(() => app.close());
beforeEach(async () => {
  await app.db.pool.query('delete from purpose');
  id = (await app.post('/purposes', { is_flagged: true })).as(createPurpose).id;
});

/** Cells by title; those of these tests hold no quotes. */
async function exported(query = ''): Promise<Record<string, string>> {
  const { text } = await app.get(`/purposes/export_csv?layout=aligned${query}`);
  const [header = '', row = ''] = text.split('\r\n');
  const cells = (line: string) => line.slice(1, -1).split('","');
  const titles = cells(header);
  expect(cells(row)).toHaveLength(titles.length);
  const byTitle: Record<string, string> = {};
  for (const [n, cell] of cells(row).entries()) byTitle[titles[n] ?? ''] = cell;
  return byTitle;
}

async function purchases(): Promise<readonly number[]> {
  const { rows } = await app.db.pool.query<{ id: number }>(
    `insert into purchase (purpose_id, budget_source_id) values ($1, 901), ($1, null), ($1, 900) returning id`,
    [id],
  );
  return rows.map((row) => row.id);
}

test('every cell about purchases has one line per purchase, none of them blank', async () => {
  const [first, second, third] = await purchases();
  await app.db.pool.query(
    `insert into stage (purchase_id, stage_type_id, priority, completion_date, value, custom_name)
      select $1::integer, (select id from stage_type where name = 'emf_id'), 1, current_date - 4, E'E 1\r\nE 2', null
      union all select $1, 901, 2, null, null, null
      union all select $1, 900, 2, null, null, 'A name of its own'
      union all select $2, (select id from stage_type where name = 'order_id'), 1, null, 'O', null`,
    [first, third],
  );
  await app.db.pool.query(
    `insert into cost (purchase_id, currency, amount) values
      ($1, 'ILS', 10.5), ($1, 'ILS', 1), ($2, 'SUPPORT_USD', 7)`,
    [first, second],
  );
  const cells = await exported();
  const today = new Date().toISOString().slice(0, 10);
  const start = new Date(Date.parse(today) - 4 * 86_400_000).toISOString().slice(0, 10);
  expect(cells).toMatchObject({
    ID: String(id),
    Flagged: 'yes',
    'Pending Authority': 'Comptroller',
    Purchases: `${first}\n${second}\n${third}`,
    // A line end inside a value does not shift the lines below it.
    'EMF IDs': 'E 1 E 2\n–\n–',
    'EMF IDs Completion Date': `${start}\n–\n–`,
    'Bikushit IDs': '–\n–\n–',
    'Bikushit IDs Completion Date': '–\n–\n–',
    'Demand IDs': '–\n–\n–',
    'Demand IDs Completion Date': '–\n–\n–',
    'Order IDs': '–\n–\nO',
    'Order IDs Completion Date': '–\n–\n–',
    'Budget Sources': 'Budget B\n–\nBudget A',
    'Costs ILS': '11.5\n–\n–',
    'Costs SUPPORT_USD': '–\n7\n–',
    'Costs AVAILABLE_USD': '–\n–\n–',
  });
  // Names that people read; a stage without days to count is named, too.
  const { rows } = await app.db.pool.query<{ display_name: string }>(
    `select display_name from stage_type where name = 'order_id'`,
  );
  expect(cells['Pending Stages']).toBe(`4 days in Approval, A name of its own\n–\n${rows[0]?.display_name}`);
});

test('a purpose without purchases has empty cells; currencies of the installation have columns', async () => {
  await app.db.pool.query(
    `insert into currency (code, iso_code, name, position) values ('EUR', 'EUR', 'Euro', 9) on conflict do nothing`,
  );
  await app.patch(`/purposes/${id}`, { is_flagged: false });
  expect(await exported()).toMatchObject({
    Purchases: '',
    'Order IDs': '',
    'Pending Stages': '',
    Flagged: 'no',
    'Pending Authority': '',
    'Budget Sources': '',
    'Costs EUR': '',
  });
});

test('the first columns are those of v1, and formulas are disarmed', async () => {
  await app.db.pool.query(`update budget_source set name = '=1+1' where id = 901`);
  await purchases();
  expect((await exported())['Budget Sources']).toBe("'=1+1\n–\nBudget A");
  expect((await exported('&raw=true'))['Budget Sources']).toBe('=1+1\n–\nBudget A');
  const header = async (query: string) =>
    (await app.get(`/purposes/export_csv${query}`)).text.split('\r\n')[0]?.split(',') ?? [];
  const v1 = await header('');
  expect(v1).toHaveLength(22);
  expect((await header('?layout=aligned')).slice(0, 22)).toEqual(v1);
  expect(await header('?layout=v1')).toEqual(v1);
  expect((await app.get('/purposes/export_csv?layout=other')).status).toBe(422);
});
