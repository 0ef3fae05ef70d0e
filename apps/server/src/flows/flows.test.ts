import { stageTypes } from '@calculaud/contract/catalog';
import * as contract from '@calculaud/contract/flows';
import * as purchases from '@calculaud/contract/purchases';
import { createPurpose, getPurpose } from '@calculaud/contract/purposes';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

let names = 0;
const newName = () => `FLOW_${(names += 1)}`;
const create = async (stages: unknown, flow_name = newName()) =>
  (await app.post('/predefined-flows/', { flow_name, stages })).as(contract.createPredefinedFlow);
const edit = async (id: number) => {
  const flow = (await app.get(`/predefined-flows/${id}?edit_format=true`)).as(contract.getPredefinedFlow);
  return 'stages' in flow ? flow.stages : undefined;
};

describe('creating a flow', () => {
  test('ids, names and lists of them take the positions of the list, from 1', async () => {
    const flow = await create(['emf_id', [7, 'bom'], 18]);
    expect(flow.flow_stages).toEqual([
      expect.objectContaining({ priority: 1, stage_type_id: 6, predefined_flow_id: flow.id }),
      [
        expect.objectContaining({ priority: 2, stage_type_id: 7 }),
        expect.objectContaining({ priority: 2, stage_type_id: 9 }),
      ],
      expect.objectContaining({ priority: 3, stage_type_id: 18 }),
    ]);
    expect(flow.flow_stages.flat()[0]?.stage_type).toMatchObject({
      name: 'emf_id',
      responsible_authority: { name: 'IT Department' },
    });
    expect((await app.get(`/predefined-flows/${flow.id}`)).as(contract.getPredefinedFlow)).toEqual(flow);
    expect(await edit(flow.id)).toEqual(['emf_id', ['information_security', 'bom'], 'order_id']);
  });

  test('an inner list of one is that one, and an empty one uses up a position', async () => {
    const flow = await create([['bom'], [], 'bom', 'bom']);
    expect(flow.flow_stages.flat().map(({ priority }) => priority)).toEqual([1, 3, 4]);
    expect(flow.flow_stages.every((stage) => !Array.isArray(stage))).toBe(true);
  });

  test('no stages at all', async () => {
    expect((await create([])).flow_stages).toEqual([]);
  });

  test('text of digits is a name and not an id', async () => {
    expect((await app.post('/predefined-flows', { flow_name: newName(), stages: ['6'] })).status).toBe(400);
    const six = (await app.post('/stage-types', { name: '6', display_name: 'six' })).as(stageTypes.create);
    const flow = await create(['6', 6]);
    expect(flow.flow_stages.flat().map(({ stage_type_id }) => stage_type_id)).toEqual([six.id, 6]);
  });

  test.each([
    [[6, 4711], 'Stage type with ID 4711 not found'],
    [[[6, 4711]], 'Stage type with ID 4711 not found'],
    [['nowhere'], "Stage type with name 'nowhere' not found"],
    [['EMF_ID'], "Stage type with name 'EMF_ID' not found"],
  ])('an unknown stage type is refused and leaves nothing behind: %j', async (stages, detail) => {
    const flow_name = newName();
    const refused = await app.post('/predefined-flows', { flow_name, stages });
    expect(refused.status).toBe(400);
    expect(refused.json()).toMatchObject({ detail });
    expect((await app.get(`/predefined-flows?search=${flow_name}`)).json()).toMatchObject({ items: [] });
  });

  test('a name that is taken is refused, also when many take it at once', async () => {
    expect((await app.post('/predefined-flows', { flow_name: 'ILS_FLOW', stages: [] })).status).toBe(409);
    const flow_name = newName();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => app.post('/predefined-flows', { flow_name, stages: [6] })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(5);
  });

  test.each([
    [{ stages: [] }, 'flow_name'],
    [{ flow_name: '', stages: [] }, 'flow_name'],
    [{ flow_name: 'x'.repeat(256), stages: [] }, 'flow_name'],
    [{ flow_name: 'x' }, 'stages'],
    [{ flow_name: 'x', stages: null }, 'stages'],
    [{ flow_name: 'x', stages: 'bom' }, 'stages'],
    [{ flow_name: 'x', stages: [1.5] }, 'stages'],
    [{ flow_name: 'x', stages: [{}] }, 'stages'],
    [{ flow_name: 'x', stages: [[[6]]] }, 'stages'],
    [{ flow_name: 'x', stages: [null] }, 'stages'],
    [{ flow_name: 'x', stages: [2 ** 31] }, 'stages'],
    [{ flow_name: 'x', stages: ['a\u0000'] }, 'stages'],
  ])('malformed input is refused and names the field: %j', async (body, field) => {
    const refused = await app.post('/predefined-flows', body);
    expect(refused.status).toBe(422);
    expect(refused.text).toContain(`"${field}"`);
  });
});

describe('listing flows', () => {
  test('by name, a page at a time, in one statement, searched without wildcards', async () => {
    await create([], 'SEARCH_A%B');
    await create([], 'SEARCH_AxB');
    const page = (await app.get('/predefined-flows?search=search_a%25b')).as(contract.listPredefinedFlows);
    expect(page.items.map(({ flow_name }) => flow_name)).toEqual(['SEARCH_A%B']);
    const first = (await app.get('/predefined-flows/?search=USD&limit=2')).as(contract.listPredefinedFlows);
    expect(first).toMatchObject({ total: 5, pages: 3, has_next: true });
    expect(first.items.map(({ flow_name }) => flow_name)).toEqual([
      'AVAILABLE_USD_FLOW',
      'MIXED_USD_ABOVE_400K_FLOW',
    ]);
  });

  test('in the form that an edit takes there are stages and no flow_stages', async () => {
    const page = await app.get('/predefined-flows/?edit_format=true&search=ILS_FLOW');
    expect(page.as(contract.listPredefinedFlows).items[0]).toMatchObject({
      stages: [
        'emf_id',
        ['information_security', 'letter_of_necessity', 'bom'],
        'bikushit_id',
        'information_security',
        'demand_id',
        'mnhr',
        'Committees',
        'blm',
        'order_id',
      ],
    });
    expect(page.text).not.toContain('flow_stages');
    expect((await app.get('/predefined-flows/1?edit_format=1')).text).not.toContain('flow_stages');
    expect((await app.get('/predefined-flows/1?edit_format=maybe')).status).toBe(422);
  });
});

describe('changing a flow', () => {
  test('given stages replace all; absent ones and null leave them; the name changes by itself', async () => {
    const flow = await create(['bom', 'blm']);
    const patch = async (body: object) =>
      (await app.patch(`/predefined-flows/${flow.id}`, body)).as(contract.updatePredefinedFlow);
    expect(await patch({})).toEqual(flow);
    expect(await patch({ stages: null })).toEqual(flow);
    const flow_name = newName();
    expect(await patch({ flow_name })).toEqual({ ...flow, flow_name });
    await patch({ stages: [['mnhr', 'bom'], 'blm'] });
    expect(await edit(flow.id)).toEqual([['mnhr', 'bom'], 'blm']);
    await patch({ stages: [] });
    expect(await edit(flow.id)).toEqual([]);
  });

  test('what the edit format gives is what an edit takes', async () => {
    const stages = (await edit(6)) ?? [];
    expect(await edit((await create(stages)).id)).toEqual(stages);
  });

  test('a wrong edit changes nothing', async () => {
    const flow = await create(['bom']);
    for (const [status, body] of [
      [422, { flow_name: null }],
      [422, { flow_name: '' }],
      [409, { flow_name: 'ILS_FLOW', stages: [] }],
      [400, { flow_name: newName(), stages: ['blm', 'nowhere'] }],
    ] as const) {
      expect((await app.patch(`/predefined-flows/${flow.id}`, body)).status).toBe(status);
    }
    expect((await app.get(`/predefined-flows/${flow.id}`)).as(contract.getPredefinedFlow)).toEqual(flow);
  });

  test('of an unknown flow is not found', async () => {
    for (const answer of [
      await app.get('/predefined-flows/4711'),
      await app.patch('/predefined-flows/4711', {}),
      await app.patch('/predefined-flows/4711', { flow_name: newName() }),
      await app.delete('/predefined-flows/4711'),
    ]) {
      expect(answer.status).toBe(404);
      expect(answer.text).toMatch(/not found/i);
    }
  });

  test('purchases that have the flow stay as they are; deleting it clears their link and touches their purposes', async () => {
    const flow = await create(['bom', 'blm']);
    await sql`update flow_rule set flow_name = ${flow.flow_name} where id = 1`.execute(app.db);
    const purpose = (await app.post('/purposes', {})).as(createPurpose);
    const purchase = (await app.post('/purchases', { purpose_id: purpose.id })).as(purchases.createPurchase);
    const shown = async () => (await app.get(`/purchases/${purchase.id}`)).as(purchases.getPurchase);
    const before = (await app.get(`/purposes/${purpose.id}`)).as(getPurpose);

    await app.patch(`/predefined-flows/${flow.id}`, { stages: ['mnhr'] });
    expect(await shown()).toEqual(purchase);
    expect((await app.delete(`/predefined-flows/${flow.id}`)).status).toBe(204);
    expect(await shown()).toEqual(purchase);
    const after = (await app.get(`/purposes/${purpose.id}`)).as(getPurpose);
    expect(after.last_modified > before.last_modified).toBe(true);
    const { rows } = await sql`select predefined_flow_id from purchase where id = ${purchase.id}`.execute(
      app.db,
    );
    expect(rows).toEqual([{ predefined_flow_id: null }]);
    await sql`update flow_rule set flow_name = null where id = 1`.execute(app.db);
  });

  test('takes an admin; reading does not', async () => {
    const reader = { role: 'user' } as const;
    expect((await app.get('/predefined-flows', reader)).status).toBe(200);
    expect((await app.get('/predefined-flows/1', reader)).status).toBe(200);
    expect((await app.post('/predefined-flows', {}, reader)).status).toBe(403);
    expect((await app.patch('/predefined-flows/1', {}, reader)).status).toBe(403);
    expect((await app.delete('/predefined-flows/1', reader)).status).toBe(403);
    expect((await app.get('/predefined-flows', { role: null })).status).toBe(401);
  });
});
