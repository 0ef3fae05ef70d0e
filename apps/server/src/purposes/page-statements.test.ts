import { listPurposes } from '@calculaud/contract/purposes';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;

beforeAll(async () => {
  app = await testApp();
  // Each purpose has what a page nests: two purchases with stages and costs, contents, a file.
  await app.db.pool.query(`
    insert into service_type (name) values ('Hardware');
    insert into service (name, service_type_id) select 'Laptops', id from service_type;
    insert into supplier (name) values ('Supplier');
    insert into purpose (description, service_type_id, supplier_id, is_flagged)
      select 'laptops ' || n, t.id, s.id, true from generate_series(1, 100) n, service_type t, supplier s;
    insert into purpose_content (purpose_id, service_id, quantity)
      select o.id, s.id, 2 from purpose o, service s;
    insert into purchase (purpose_id, predefined_flow_id)
      select o.id, f.id from purpose o, generate_series(1, 2), (select min(id) as id from predefined_flow) f;
    insert into stage (purchase_id, stage_type_id, priority)
      select p.id, t.stage_type_id, t.priority
      from purchase p join predefined_flow_stage t on t.predefined_flow_id = p.predefined_flow_id;
    insert into cost (purchase_id, currency, amount) select id, 'ILS', 100 from purchase;
    with added as (
      insert into file_attachment (original_filename, s3_key, mime_type, file_size)
      select 'offer.pdf', 'files/' || id || '.pdf', 'application/pdf', 1000 from purpose returning id, s3_key
    )
    insert into purpose_file_attachment (purpose_id, file_attachment_id)
      select o.id, added.id from added join purpose o on added.s3_key = 'files/' || o.id || '.pdf'`);
});
afterAll(() => app.close());

const everyFilter =
  'search=laptops&start_date=2020-01-01&end_date=2100-01-01&status=IN_PROGRESS&supplier_id=1&service_type_id=1' +
  '&service_id=1&is_flagged=true&sort_by=days_since_last_completion';

test.each([
  ['1 purpose', 'limit=1', 1],
  ['10 purposes', 'limit=10', 10],
  ['100 purposes', 'limit=100', 100],
  ['100 purposes that every kind of filter was asked for', `limit=100&${everyFilter}`, 100],
])('a page of %s takes at most 2 statements', async (_, query, size) => {
  const statements = vi.spyOn(pg.Client.prototype, 'query');
  const response = await app.get(`/purposes/?${query}`);
  const sent = statements.mock.calls.length;
  const { items } = response.as(listPurposes);
  expect(items).toHaveLength(size);
  expect(items[0]?.purchases).toHaveLength(2);
  expect(items[0]?.purchases[0]?.flow_stages.length).toBeGreaterThan(1);
  expect(items[0]?.file_attachments).toHaveLength(1);
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThanOrEqual(2);
});
