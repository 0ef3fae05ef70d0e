import * as catalog from '@calculaud/contract/catalog';
import { createHierarchy } from '@calculaud/contract/hierarchies';
import * as purchases from '@calculaud/contract/purchases';
import * as purposes from '@calculaud/contract/purposes';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
let owner: pg.Client;
beforeAll(async () => {
  app = await testApp();
  owner = new pg.Client({ connectionString: app.ownerUrl });
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await app.close();
});

let names = 0;
function unused(label: string): string {
  names += 1;
  return `${label} ${names}`;
}

async function fileRow(): Promise<number> {
  const { rows } = await sql<{ id: number }>`
    insert into file_attachment (original_filename, s3_key, mime_type, file_size)
    values ('a.pdf', ${unused('key')}, 'application/pdf', 1) returning id`.execute(app.db);
  return rows[0]?.id ?? 0;
}

const costs = [
  { currency: 'SUPPORT_USD', amount: 1.1 },
  { currency: 'AVAILABLE_USD', amount: 500_000 },
];
async function buy(purpose_id: number, budget_source_id: number | null = null) {
  const body = { purpose_id, budget_source_id, costs };
  return (await app.post('/purchases', body)).as(purchases.createPurchase);
}

/** A purpose that has everything a purpose can have. */
async function fullPurpose() {
  const supplier = (await app.post('/suppliers', { name: unused('Supplier') })).as(catalog.suppliers.create);
  const type = (await app.post('/service-types', { name: unused('Type') })).as(catalog.serviceTypes.create);
  const service = (await app.post('/services', { name: unused('Service'), service_type_id: type.id })).as(
    catalog.services.create,
  );
  const budget = (await app.post('/budget-sources', { name: unused('Budget') })).as(
    catalog.budgetSources.create,
  );
  const node = (await app.post('/hierarchies/', { type: 'UNIT', name: unused('Unit') })).as(createHierarchy);
  const files = [await fileRow(), await fileRow()];
  const { id } = (
    await app.post('/purposes', {
      description: 'A need',
      comments: 'c',
      expected_delivery: '2026-05-01',
      supplier_id: supplier.id,
      service_type_id: type.id,
      hierarchy_id: node.id,
      is_flagged: true,
      contents: [{ service_id: service.id, quantity: 3 }],
      file_attachment_ids: files,
    })
  ).as(purposes.createPurpose);
  const purchase = await buy(id, budget.id);
  await buy(id);
  const stages = purchase.flow_stages.flat();
  await app.patch(`/stages/${stages[0]?.id}`, { value: 'E-1', completion_date: '2026-01-01', note: 'n' });
  await app.post(`/stages/${stages[1]?.id}/start`);
  await app.patch(`/purposes/${id}`, { status: 'SIGNED' });
  await app.patch(`/purposes/${id}`, { status: 'COMPLETED' });
  return { id, supplier, type, service, budget, node, files, purchase, stages };
}

/** Every row of the purpose, and what is counted ahead from them, but for the transaction that wrote it last. */
async function rowsOf(id: number): Promise<Record<string, unknown>> {
  const { rows } = await sql<Record<string, unknown>>`select
    (select jsonb_agg(to_jsonb(o) - 'version_transaction' - 'version') from purpose o where id = ${id}) as purpose,
    (select jsonb_agg(c order by id) from purpose_content c where purpose_id = ${id}) as contents,
    (select jsonb_agg(h order by id) from purpose_status_history h where purpose_id = ${id}) as history,
    (select jsonb_agg(l order by file_attachment_id) from purpose_file_attachment l where purpose_id = ${id}) as links,
    (select jsonb_agg(to_jsonb(p) - 'version_transaction' order by id) from purchase p where purpose_id = ${id}) as purchases,
    (select jsonb_agg(c order by c.id) from cost c join purchase p on p.id = c.purchase_id where purpose_id = ${id}) as costs,
    (select jsonb_agg(s order by s.id) from stage s join purchase p on p.id = s.purchase_id where purpose_id = ${id}) as stages,
    (select jsonb_agg(d order by d.id) from flow_decision d join purchase p on p.id = d.purchase_id
      where purpose_id = ${id}) as decisions,
    (select jsonb_agg(a order by purchase_id) from analytics_purchase a where purpose_id = ${id}) as analytics`.execute(
    app.db,
  );
  return rows[0] ?? {};
}

const version = async (path: string) =>
  Number(String((await app.get(path)).headers['etag']).replaceAll('"', ''));
const restore = (id: number) => app.post(`/purposes/${id}/restore`);
async function remove(path: string): Promise<void> {
  expect((await app.delete(path)).status).toBe(204);
}

describe('a deleted purpose', () => {
  test('comes back with everything that went with it, as it was', async () => {
    const { id } = await fullPurpose();
    const before = await rowsOf(id);
    for (const member of Object.values(before)) expect(member).not.toBeNull();
    const read = (await app.get(`/purposes/${id}`)).as(purposes.getPurpose);
    const { rows: counted } = await sql`select sum(change) from purpose_count`.execute(app.db);
    await remove(`/purposes/${id}`);
    const answer = await restore(id);
    const restored = answer.as(purposes.restorePurpose);
    const withoutLinks = ({ file_attachments, ...rest }: typeof read) => ({
      ...rest,
      files: file_attachments.map((file) => file.id),
    });
    expect(withoutLinks(restored)).toEqual(withoutLinks(read));
    expect(await rowsOf(id)).toEqual(before);
    expect((await sql`select sum(change) from purpose_count`.execute(app.db)).rows).toEqual(counted);
  });

  test('has another version than the one that was read before it was deleted', async () => {
    const { id } = await fullPurpose();
    const before = await version(`/purposes/${id}`);
    await remove(`/purposes/${id}`);
    expect((await restore(id)).headers['etag']).toBe(`"${before + 1}"`);
    const late = await app.delete(`/purposes/${id}`, { headers: { 'if-match': `"${before}"` } });
    expect(late.status).toBe(412);
  });

  test('can be edited, deleted and restored again', async () => {
    const { id, stages } = await fullPurpose();
    await remove(`/purposes/${id}`);
    await restore(id);
    await app.patch(`/stages/${stages[0]?.id}`, { note: 'later' });
    const before = await rowsOf(id);
    await remove(`/purposes/${id}`);
    expect((await restore(id)).status).toBe(200);
    expect(await rowsOf(id)).toEqual(before);
  });

  test('comes back without what had been deleted from it before', async () => {
    const { id, purchase } = await fullPurpose();
    await remove(`/purchases/${purchase.id}`);
    const before = await rowsOf(id);
    await remove(`/purposes/${id}`);
    await restore(id);
    expect(await rowsOf(id)).toEqual(before);
  });

  test('comes back alone when several were deleted in one transaction', async () => {
    const [one, other] = [await fullPurpose(), await fullPurpose()];
    const before = await rowsOf(one.id);
    await sql`delete from purpose where id in (${one.id}, ${other.id})`.execute(app.db);
    expect((await restore(one.id)).status).toBe(200);
    expect(await rowsOf(one.id)).toEqual(before);
    expect((await app.get(`/purposes/${other.id}`)).status).toBe(404);
    expect((await restore(other.id)).status).toBe(200);
  });

  test('waits for whom it waits now', async () => {
    const authority = (await app.post('/responsible-authorities', { name: unused('Authority') })).as(
      catalog.responsibleAuthorities.create,
    );
    const type = (
      await app.post('/stage-types', {
        name: unused('type'),
        display_name: 'Type',
        responsible_authority_id: authority.id,
      })
    ).as(catalog.stageTypes.create);
    const { id } = (await app.post('/purposes', {})).as(purposes.createPurpose);
    const { id: purchaseId } = await buy(id);
    await app.patch(`/purchases/${purchaseId}`, { stages: [{ stage_type_id: type.id }] });
    const { last_modified } = (await app.get(`/purposes/${id}`)).as(purposes.getPurpose);
    await remove(`/purposes/${id}`);
    await remove(`/responsible-authorities/${authority.id}`);
    const restored = (await restore(id)).as(purposes.restorePurpose);
    expect(restored).toMatchObject({ pending_authority: null, last_modified });
  });

  test('names what it refers to and is gone, and stays deleted', async () => {
    const { id, supplier, service, node } = await fullPurpose();
    await remove(`/purposes/${id}`);
    for (const path of [`suppliers/${supplier.id}`, `services/${service.id}`, `hierarchies/${node.id}`]) {
      await remove(`/${path}`);
    }
    const answer = await restore(id);
    expect(answer.status).toBe(409);
    expect(answer.json()).toMatchObject({
      code: 'reference_gone',
      detail:
        `Purpose with ID ${id} cannot be restored: it refers to what was deleted since: ` +
        `hierarchy with ID ${node.id} ('${node.name}'), service with ID ${service.id} ('${service.name}'), ` +
        `supplier with ID ${supplier.id} ('${supplier.name}')`,
    });
    expect((await app.get(`/purposes/${id}`)).status).toBe(404);
  });

  test('comes back without deleted files, and without deleted budget sources, as if they had gone later', async () => {
    const { id, budget, files } = await fullPurpose();
    await remove(`/purposes/${id}`);
    await remove(`/budget-sources/${budget.id}`);
    await sql`delete from file_attachment where id = ${files[0]}`.execute(app.db);
    const restored = (await restore(id)).as(purposes.restorePurpose);
    expect(restored.file_attachments.map((file) => file.id)).toEqual([files[1]]);
    expect(restored.purchases[0]?.budget_source).toBeNull();
  });

  test('of before transactions were recorded comes back by the time of its entries; its history begins anew', async () => {
    const { id } = await fullPurpose();
    const { history, ...before } = await rowsOf(id);
    await remove(`/purposes/${id}`);
    await owner.query(
      `delete from audit_entry where entity = 'purpose_status_history' and (before ->> 'purpose_id')::integer = $1`,
      [id],
    );
    await owner.query('update audit_entry set transaction_id = null');
    expect((await restore(id)).status).toBe(200);
    const { history: anew, ...after } = await rowsOf(id);
    expect(after).toEqual(before);
    expect(anew).toMatchObject([{ previous_status: null, new_status: 'COMPLETED' }]);
    expect(history).toHaveLength(3);
  });

  test('comes back once, however many ask for it', async () => {
    const { id } = await fullPurpose();
    const before = await rowsOf(id);
    await remove(`/purposes/${id}`);
    const answers = await Promise.all(Array.from({ length: 10 }, () => restore(id)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(9);
    expect(await rowsOf(id)).toEqual(before);
  });

  test('that is there is 409, that never was is 404, and readers may not', async () => {
    const { id } = (await app.post('/purposes', {})).as(purposes.createPurpose);
    const there = await restore(id);
    expect(there.status).toBe(409);
    expect(there.json()).toMatchObject({ detail: `Purpose with ID ${id} is not deleted` });
    expect((await restore(4_711_000)).status).toBe(404);
    expect((await app.post(`/purposes/${id}/restore`, undefined, { role: 'user' })).status).toBe(403);
  });
});

test('whatever goes with a purpose or a purchase can come back: nobody adds a table and forgets this', async () => {
  const { rows } = await sql<{ table: string }>`
    select conrelid::regclass::text as table from pg_constraint
    where contype = 'f' and confrelid in ('purpose'::regclass, 'purchase'::regclass) order by 1`.execute(
    app.db,
  );
  expect(rows.map(({ table }) => table)).toEqual([
    // Counted ahead by triggers.
    'analytics_purchase',
    // Audited, brought back, and compared by rowsOf.
    'cost',
    'flow_decision',
    'purchase',
    'purpose_content',
    'purpose_file_attachment',
    'purpose_status_history',
    'stage',
  ]);
});

describe('the list of deleted purposes', () => {
  const list = async (query = '') =>
    (await app.get(`/purposes/deleted${query}`)).as(purposes.deletedPurposes);

  test('has what can be restored, the last one first, each once', async () => {
    const before = await list();
    const ids = [];
    for (const description of ['first', null, 'third']) {
      const { id } = (await app.post('/purposes', { description })).as(purposes.createPurpose);
      await remove(`/purposes/${id}`);
      ids.push(id);
    }
    const [first, second, third] = ids;
    await restore(first ?? 0);
    await remove(`/purposes/${first}`);
    expect(await list('?limit=2')).toMatchObject({
      items: [
        { id: first, description: 'first', deleted_at: expect.any(String), deleted_by: 'Tester' },
        { id: third, description: 'third' },
      ],
      total: before.total + 3,
      has_next: true,
    });
    expect((await list('?limit=2&page=2')).items[0]).toMatchObject({ id: second, description: null });
    await restore(third ?? 0);
    expect(await list('?limit=2')).toMatchObject({
      items: [{ id: first }, { id: second }],
      total: before.total + 2,
    });
  });
});

describe('a deleted purchase', () => {
  const restorePurchase = (id: number) => app.post(`/purchases/${id}/restore`);

  test('comes back with its costs and stages, and touches its purpose', async () => {
    const { id, purchase } = await fullPurpose();
    const { purpose: _, analytics: __, ...before } = await rowsOf(id);
    const versionBefore = await version(`/purchases/${purchase.id}`);
    await remove(`/purchases/${purchase.id}`);
    const { last_modified } = (await app.get(`/purposes/${id}`)).as(purposes.getPurpose);
    const restored = (await restorePurchase(purchase.id)).as(purchases.restorePurchase);
    expect(restored).toMatchObject({ id: purchase.id, costs: purchase.costs });
    expect(await version(`/purchases/${purchase.id}`)).toBe(versionBefore + 1);
    const { purpose: ___, analytics: ____, ...after } = await rowsOf(id);
    const withoutVersions = (rows: typeof before) =>
      JSON.parse(JSON.stringify(rows).replaceAll(/"version": ?\d+/g, '"version": 0')) as unknown;
    expect(withoutVersions(after)).toEqual(withoutVersions(before));
    const touched = (await app.get(`/purposes/${id}`)).as(purposes.getPurpose).last_modified;
    expect(touched > last_modified).toBe(true);
  });

  test('comes back only below its purpose', async () => {
    const { id, purchase } = await fullPurpose();
    await remove(`/purchases/${purchase.id}`);
    await remove(`/purposes/${id}`);
    const refused = await restorePurchase(purchase.id);
    expect(refused.status).toBe(409);
    expect(refused.text).toContain(`its purpose with ID ${id} is deleted. Restore that first`);
    await restore(id);
    expect((await restorePurchase(purchase.id)).status).toBe(200);
    expect((await restorePurchase(purchase.id)).status).toBe(409);
    expect((await restorePurchase(4_711_000)).status).toBe(404);
  });

  test('names the stage type that is gone', async () => {
    const type = (await app.post('/stage-types', { name: unused('type'), display_name: 'Type' })).as(
      catalog.stageTypes.create,
    );
    const { id } = (await app.post('/purposes', {})).as(purposes.createPurpose);
    const purchase = await buy(id);
    await app.patch(`/purchases/${purchase.id}`, { stages: [{ stage_type_id: type.id }] });
    await remove(`/purchases/${purchase.id}`);
    await remove(`/stage-types/${type.id}`);
    const refused = await restorePurchase(purchase.id);
    expect(refused.status).toBe(409);
    expect(refused.text).toContain(`stage type with ID ${type.id} ('${type.name}')`);
  });
});
