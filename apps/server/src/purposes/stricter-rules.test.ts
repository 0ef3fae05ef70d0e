import * as catalog from '@calculaud/contract/catalog';
import * as purchases from '@calculaud/contract/purchases';
import { createPurpose, getPurpose } from '@calculaud/contract/purposes';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp({ CALCULAUD_RULES: 'status-follows-stages,services-of-type' });
});
afterAll(() => app.close());

const file = async (body: object = {}) => (await app.post('/purposes', body)).as(createPurpose);
const patch = (id: number, body: object) => app.patch(`/purposes/${id}`, body);
const get = async (id: number) => (await app.get(`/purposes/${id}`)).as(getPurpose);

describe('status-follows-stages', () => {
  const costs = [{ currency: 'ILS', amount: 1 }];
  const buy = (purpose_id: number) => app.post('/purchases', { purpose_id, costs });
  async function completeAll(purposeId: number): Promise<void> {
    await sql`update stage set completion_date = '2026-01-01'
      where purchase_id in (select id from purchase where purpose_id = ${purposeId})`.execute(app.db);
  }

  test.each([
    ['IN_PROGRESS', 'SIGNED', 200],
    ['IN_PROGRESS', 'COMPLETED', 200],
    ['SIGNED', 'IN_PROGRESS', 200],
    ['PARTIALLY_SUPPLIED', 'SIGNED', 200],
    ['PARTIALLY_SUPPLIED', 'IN_PROGRESS', 409],
    ['COMPLETED', 'PARTIALLY_SUPPLIED', 200],
    ['COMPLETED', 'SIGNED', 409],
    ['COMPLETED', 'IN_PROGRESS', 409],
    ['COMPLETED', 'COMPLETED', 200],
  ])('without purchases: %s to %s answers %i', async (before, after, status) => {
    const { id } = await file({ status: before });
    expect((await patch(id, { status: after })).status).toBe(status);
    expect((await get(id)).status).toBe(status === 200 ? after : before);
  });

  test('a purpose is complete when no stage of any purchase is pending', async () => {
    const { id } = await file();
    await buy(id);
    const purchase = (await buy(id)).as(purchases.createPurchase);
    const refused = await patch(id, { status: 'COMPLETED', comments: 'c' });
    expect(refused.status).toBe(409);
    expect(refused.json()).toMatchObject({ code: 'stages_pending' });
    expect(refused.text).toContain(`${purchase.flow_stages.flat().length * 2} still are`);
    expect(await get(id)).toMatchObject({ status: 'IN_PROGRESS', comments: null });
    await completeAll(id);
    expect((await patch(id, { status: 'COMPLETED' })).status).toBe(200);
  });

  test('nothing becomes pending below a complete purpose', async () => {
    const { id } = await file();
    const purchase = (await buy(id)).as(purchases.createPurchase);
    await completeAll(id);
    await patch(id, { status: 'COMPLETED' });
    const chain = purchase.flow_stages.map((level) => [level].flat().map((stage) => ({ id: stage.id })));
    const stage = `/stages/${purchase.flow_stages.flat()[0]?.id}`;
    for (const answer of [
      await app.patch(stage, { completion_date: null }),
      await buy(id),
      await app.patch(`/purchases/${purchase.id}`, { stages: [...chain, { custom_name: 'one more' }] }),
    ]) {
      expect(answer.status).toBe(409);
      expect(answer.json()).toMatchObject({ code: 'purpose_completed' });
    }
    expect((await app.patch(stage, { note: 'n', completion_date: '2026-01-02' })).status).toBe(200);
    expect((await app.patch(`/purchases/${purchase.id}`, { stages: chain.slice(1) })).status).toBe(200);
    expect((await app.post('/purchases', { purpose_id: id, costs: [] })).status).toBe(201);
    await patch(id, { status: 'PARTIALLY_SUPPLIED' });
    expect((await buy(id)).status).toBe(201);
  });

  test('another flow with further stages is not chosen below a complete purpose', async () => {
    const { id } = await file();
    const purchase = (await buy(id)).as(purchases.createPurchase);
    await completeAll(id);
    await patch(id, { status: 'COMPLETED' });
    await app.put(`/purchases/${purchase.id}/costs`, {
      costs: [{ currency: 'SUPPORT_USD', amount: 500_000 }],
    });
    expect((await app.post(`/purchases/${purchase.id}/flow`, {})).status).toBe(409);
  });

  test('of a completion and a reopening at once only one gets through', async () => {
    const { id } = await file();
    const purchase = (await buy(id)).as(purchases.createPurchase);
    await completeAll(id);
    const stage = `/stages/${purchase.flow_stages.flat()[0]?.id}`;
    for (let round = 0; round < 20; round += 1) {
      const answers = await Promise.all([
        patch(id, { status: 'COMPLETED' }),
        app.patch(stage, { completion_date: null }),
      ]);
      expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, 409]);
      await patch(id, { status: 'PARTIALLY_SUPPLIED' });
      await app.patch(stage, { completion_date: '2026-01-01' });
    }
  });
});

describe('services-of-type', () => {
  let names = 0;
  async function typeWithService() {
    names += 1;
    const type = (await app.post('/service-types', { name: `Type ${names}` })).as(
      catalog.serviceTypes.create,
    );
    const body = { name: `Service ${names}`, service_type_id: type.id };
    const service = (await app.post('/services', body)).as(catalog.services.create);
    return { type, service };
  }
  const line = ({ id }: { id: number }) => ({ service_id: id, quantity: 1 });

  test('a purpose with a service type takes services of that type alone', async () => {
    const [own, other] = [await typeWithService(), await typeWithService()];
    const refused = await app.post('/purposes', {
      service_type_id: own.type.id,
      contents: [line(own.service), line(other.service)],
    });
    expect(refused.status).toBe(409);
    expect(refused.json()).toMatchObject({
      code: 'service_of_other_type',
      detail: `Services of the contents do not belong to the service type '${own.type.name}' of the purpose: ${other.service.name}`,
    });
    const { id } = await file({ service_type_id: own.type.id, contents: [line(own.service)] });
    expect((await patch(id, { contents: [line(other.service)] })).status).toBe(409);
    expect((await patch(id, { service_type_id: other.type.id, comments: 'c' })).status).toBe(409);
    expect(await get(id)).toMatchObject({
      comments: null,
      service_type_id: own.type.id,
      contents: [{ service_id: own.service.id }],
    });
    const both = { service_type_id: other.type.id, contents: [line(other.service)] };
    expect((await patch(id, both)).status).toBe(200);
  });

  test('a purpose without one takes all, and none gets one that they do not belong to', async () => {
    const [one, other] = [await typeWithService(), await typeWithService()];
    const { id } = await file({ contents: [line(one.service), line(other.service)] });
    expect((await patch(id, { service_type_id: one.type.id })).status).toBe(409);
    expect((await patch(id, { contents: [] })).status).toBe(200);
    expect((await patch(id, { service_type_id: one.type.id })).status).toBe(200);
    expect((await patch(id, { service_type_id: null, contents: [line(other.service)] })).status).toBe(200);
  });

  test('a purpose that was otherwise before the rule is edited as ever', async () => {
    const [own, other] = [await typeWithService(), await typeWithService()];
    const { id } = await file({ contents: [line(other.service)] });
    await sql`update purpose set service_type_id = ${own.type.id} where id = ${id}`.execute(app.db);
    expect((await patch(id, { comments: 'c', service_type_id: own.type.id })).status).toBe(200);
  });

  test('holds when contents and service type are edited at once', async () => {
    const [own, other] = [await typeWithService(), await typeWithService()];
    for (let round = 0; round < 20; round += 1) {
      const { id } = await file();
      const answers = await Promise.all([
        patch(id, { service_type_id: own.type.id }),
        patch(id, { contents: [line(other.service)] }),
      ]);
      expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, 409]);
    }
  });
});
