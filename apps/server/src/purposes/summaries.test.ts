import { createPurchase } from '@calculaud/contract/purchases';
import { createPurpose, getPurpose, listPurposes, summarizePurposes } from '@calculaud/contract/purposes';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
let rich: number;
let bare: number;

beforeAll(async () => {
  app = await testApp();
  await app.db.pool.query(`
    insert into responsible_authority (id, name) values (900, 'Comptroller');
    insert into stage_type (id, name, display_name, responsible_authority_id) values
      (900, 'first_step', 'First step', null), (901, 'second_step', 'Second step', 900), (902, 'own', 'Own step', null);
    insert into service_type (id, name) values (900, 'Hardware');
    insert into service (id, name, service_type_id) values (900, 'Laptops', 900), (901, 'Docks', 900);
    insert into supplier (id, name) values (900, 'Supplier');
    insert into budget_source (id, name) values (900, 'Budget');
    insert into hierarchy (id, name, type, path) values (900, 'Unit', 'UNIT', 'Unit');
    insert into file_attachment (id, original_filename, s3_key, mime_type, file_size)
      values (900, 'offer.pdf', 'files/offer.pdf', 'application/pdf', 1000)`);
  rich = (
    await app.post('/purposes', {
      description: 'laptops',
      comments: 'urgent',
      is_flagged: true,
      expected_delivery: '2026-12-31',
      hierarchy_id: 900,
      supplier_id: 900,
      service_type_id: 900,
      contents: [
        { service_id: 901, quantity: 2 },
        { service_id: 900, quantity: 3 },
      ],
      file_attachment_ids: [900],
    })
  ).as(createPurpose).id;
  bare = (await app.post('/purposes', {})).as(createPurpose).id;
});
afterAll(() => app.close());

async function summaries(query = '') {
  return (await app.get(`/purposes/summaries${query}`)).as(summarizePurposes);
}
async function purchase(costs: object[], budget_source_id: number | null = null): Promise<number> {
  return (await app.post('/purchases', { purpose_id: rich, costs, budget_source_id })).as(createPurchase).id;
}

test('a purpose shows what the full record says, its purchases in short, totals by currency, the number of files', async () => {
  const waiting = await purchase(
    [
      { currency: 'ILS', amount: 100.25 },
      { currency: 'SUPPORT_USD', amount: 7 },
    ],
    900,
  );
  const empty = await purchase([]);
  await purchase([{ currency: 'ILS', amount: 0.5 }]);
  await app.db.pool.query('delete from stage');
  await app.db.pool.query(
    `insert into stage (purchase_id, stage_type_id, priority, completion_date, custom_name) values
      ($1, 900, 1, current_date - 3, null), ($1, 901, 2, null, null), ($1, 902, 2, null, 'A name of its own'),
      ($1, 900, 3, null, null)`,
    [waiting],
  );
  const full = (await app.get(`/purposes/${rich}`)).as(getPurpose);
  const { items } = await summaries('?search=laptops');
  expect(items).toEqual([
    {
      id: rich,
      description: 'laptops',
      status: 'IN_PROGRESS',
      comments: 'urgent',
      is_flagged: true,
      expected_delivery: '2026-12-31',
      creation_time: full.creation_time,
      last_modified: full.last_modified,
      supplier: 'Supplier',
      service_type: 'Hardware',
      hierarchy: { id: 900, name: 'Unit', path: 'Unit' },
      pending_authority: { id: 900, name: 'Comptroller' },
      contents: [
        { quantity: 2, service_name: 'Docks' },
        { quantity: 3, service_name: 'Laptops' },
      ],
      purchases: full.purchases.map(({ id, days_since_last_completion }) => ({
        id,
        days_since_last_completion,
        current_stages: id === waiting ? ['Second step', 'A name of its own'] : [],
        budget_source: id === waiting ? 'Budget' : null,
      })),
      totals: [
        { currency: 'ILS', amount: 100.75 },
        { currency: 'SUPPORT_USD', amount: 7 },
      ],
      file_count: 1,
    },
  ]);
  expect(items[0]?.purchases[0]?.days_since_last_completion).toBe(
    full.purchases[0]?.days_since_last_completion,
  );
  expect(items[0]?.purchases[0]?.days_since_last_completion).toBeGreaterThanOrEqual(2);
  expect(items[0]?.purchases[1]).toMatchObject({ id: empty, days_since_last_completion: null });
});

test('a purpose that has nothing shows nulls and empty lists', async () => {
  const { items } = await summaries('?is_flagged=false');
  expect(items).toMatchObject([
    {
      id: bare,
      description: null,
      supplier: null,
      service_type: null,
      hierarchy: null,
      pending_authority: null,
      contents: [],
      purchases: [],
      totals: [],
      file_count: 0,
    },
  ]);
});

test.each([
  '',
  '?limit=1',
  '?limit=1&page=2',
  '?sort_by=id&sort_order=asc',
  '?search=hardware&status=IN_PROGRESS&service_id=900&hierarchy_id=900',
  '?is_flagged=true&sort_by=days_since_last_completion',
  '?status=SIGNED',
])('pages, filters and sorts as the list does: %s', async (query) => {
  const { items, ...envelope } = await summaries(query);
  const { items: expected, ...expectedEnvelope } = (await app.get(`/purposes/${query}`)).as(listPurposes);
  expect(items.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
  expect(envelope).toEqual(expectedEnvelope);
});

test('a page is one statement', async () => {
  const statements = vi.spyOn(pg.Client.prototype, 'query');
  const { items } = await summaries('?search=laptops&service_id=900');
  expect(items).toHaveLength(1);
  expect(statements).toHaveBeenCalledTimes(1);
  statements.mockRestore();
});

test('needs credentials, and refuses what the list refuses', async () => {
  expect((await app.get('/purposes/summaries', { role: null })).status).toBe(401);
  expect((await app.get('/purposes/summaries', { role: 'user' })).status).toBe(200);
  expect((await app.get('/purposes/summaries?status=open')).status).toBe(422);
});
