import { budgetSources } from '@calculaud/contract/catalog';
import * as contract from '@calculaud/contract/purchases';
import { createPurpose, getPurpose } from '@calculaud/contract/purposes';
import { getStage, updateStage } from '@calculaud/contract/stages';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

let purposeId: number;
beforeEach(async () => {
  purposeId = (await app.post('/purposes', {})).as(createPurpose).id;
});

const ils = (amount: number | string) => ({ currency: 'ILS', amount });
const create = async (body: object = {}) =>
  (await app.post('/purchases/', { purpose_id: purposeId, ...body })).as(contract.createPurchase);
const get = async (id: number) => (await app.get(`/purchases/${id}`)).as(contract.getPurchase);
const patch = async (id: number, body: object) =>
  (await app.patch(`/purchases/${id}`, body)).as(contract.updatePurchase);
const complete = async (id: number, completion_date: string | null = '2026-01-01') =>
  (await app.patch(`/stages/${id}`, { completion_date })).as(updateStage);
const lastModified = async () => (await app.get(`/purposes/${purposeId}`)).as(getPurpose).last_modified;
const decisions = async (id: number) =>
  (await app.get(`/purchases/${id}/flow-decisions`)).as(contract.listFlowDecisions);

describe('creating a purchase', () => {
  test('answers its costs in the order given, its stages by level and whom it waits for', async () => {
    const costs = [ils(100), { currency: 'SUPPORT_USD', amount: '0.1' }, ils('2e2'), ils(0)];
    const purchase = await create({ budget_source_id: '1', costs });
    expect(purchase).toMatchObject({
      purpose_id: purposeId,
      budget_source_id: 1,
      budget_source: { id: 1, name: 'IT Operations Budget' },
      pending_authority: { name: 'IT Department' },
      days_since_last_completion: null,
    });
    expect(purchase.costs.map(({ currency, amount }) => [currency, amount])).toEqual([
      ['ILS', 100],
      ['SUPPORT_USD', 0.1],
      ['ILS', 200],
      ['ILS', 0],
    ]);
    expect(purchase.flow_stages).toHaveLength(9);
    expect(purchase.flow_stages[1]).toHaveLength(3);
    expect(purchase.current_pending_stages).toEqual([purchase.flow_stages[0]]);
    expect(
      purchase.flow_stages
        .flat()
        .every(({ completion_date, value }) => completion_date === null && value === null),
    ).toBe(true);
    expect(await get(purchase.id)).toEqual(purchase);
  });

  test('without costs it has no flow and no stages', async () => {
    expect(await create()).toMatchObject({
      costs: [],
      flow_stages: [],
      current_pending_stages: [],
      pending_authority: null,
      budget_source: null,
    });
  });

  test('amounts are kept exactly', async () => {
    const amounts = [0.1, 0.30000000000000004, 123456789.01, 999999999999999, 1e-7];
    expect((await create({ costs: amounts.map(ils) })).costs.map(({ amount }) => amount)).toEqual(amounts);
  });

  test('is refused for an unknown purpose or budget source, and leaves nothing behind', async () => {
    const before = await lastModified();
    const noPurpose = await app.post('/purchases', { purpose_id: 4711 });
    expect(noPurpose.status).toBe(400);
    expect(noPurpose.json()).toMatchObject({ detail: 'Purpose with ID 4711 not found' });
    const noSource = await app.post('/purchases', {
      purpose_id: purposeId,
      budget_source_id: 4711,
      costs: [ils(1)],
    });
    expect(noSource.status).toBe(400);
    expect(noSource.json()).toMatchObject({ detail: 'Budget source with ID 4711 not found' });
    expect((await app.get(`/purposes/${purposeId}`)).as(getPurpose).purchases).toEqual([]);
    expect(await lastModified()).toBe(before);
  });

  test.each([
    [{ purpose_id: undefined }, 'purpose_id', 'missing'],
    [{ purpose_id: null }, 'purpose_id', 'int_type'],
    [{ purpose_id: 'x' }, 'purpose_id', 'int_parsing'],
    [{ budget_source_id: 1.5 }, 'budget_source_id', 'int_from_float'],
    [{ costs: null }, 'costs', 'list_type'],
    [{ costs: {} }, 'costs', 'list_type'],
    [{ costs: [1] }, 'costs', 'model_attributes_type'],
    [{ costs: [{ amount: 1 }] }, 'currency', 'missing'],
    [{ costs: [{ currency: 'ILS' }] }, 'amount', 'missing'],
    [{ costs: [{ currency: 'ils', amount: 1 }] }, 'currency', 'enum'],
    [{ costs: [{ currency: 5, amount: 1 }] }, 'currency', 'string_type'],
    [{ costs: [ils(-0.01)] }, 'amount', 'greater_than_equal'],
    [{ costs: [ils('inf')] }, 'amount', 'finite_number'],
    [{ costs: [ils('NaN')] }, 'amount', 'finite_number'],
    [{ costs: [ils('1,5')] }, 'amount', 'float_parsing'],
    [{ costs: [ils(1e15)] }, 'amount', 'less_than'],
  ])('malformed input is refused and names the field: %j', async (body, field, type) => {
    const refused = await app.post('/purchases', { purpose_id: purposeId, ...body });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain(`"${field}"`);
    expect(refused.text).toContain(`"${type}"`);
  });

  test('an infinite JSON number is refused', async () => {
    const refused = await app.post(
      '/purchases',
      `{"purpose_id":${purposeId},"costs":[{"currency":"ILS","amount":1e999}]}`,
    );
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('"amount"');
  });

  test('a wrong currency is reported for each line, before the purpose is looked for', async () => {
    const refused = await app.post('/purchases', {
      purpose_id: 4711,
      costs: [{ currency: 'EUR', amount: 1 }, ils(1), { currency: '', amount: 1 }],
    });
    expect(refused.status).toBe(422);
    expect(refused.json()).toMatchObject({
      detail: [
        { type: 'enum', loc: ['body', 'costs', 0, 'currency'], input: 'EUR' },
        { type: 'enum', loc: ['body', 'costs', 2, 'currency'], input: '' },
      ],
    });
  });

  test('touches the purpose once, whatever comes along', async () => {
    expect((await app.get(`/purposes/${purposeId}`)).headers['etag']).toBe('"1"');
    const before = await lastModified();
    const created = await app.post('/purchases', { purpose_id: purposeId, costs: [ils(1), ils(2)] });
    expect(created.headers['etag']).toBe('"1"');
    expect((await app.get(`/purposes/${purposeId}`)).headers['etag']).toBe('"2"');
    expect((await lastModified()) > before).toBe(true);
  });

  test('stores why the flow was chosen, by whom and on what facts', async () => {
    const { id } = await create({ costs: [ils(400_000), { currency: 'AVAILABLE_USD', amount: 0.5 }] });
    expect(await decisions(id)).toEqual([
      expect.objectContaining({
        rule_name: 'Several costs of 400,000 or more',
        flow_name: 'MIXED_USD_ABOVE_400K_FLOW',
        flow_id: 6,
        reason: expect.stringContaining('400000.5'),
        facts: expect.objectContaining({
          lines: 2,
          plain_total: '400000.5',
          currencies: ['ILS', 'AVAILABLE_USD'],
        }),
        decided_by: 'Tester',
      }),
    ]);
    const { rows } = await sql`select predefined_flow_id as flow, created_by is not null as by_somebody
      from purchase where id = ${id}`.execute(app.db);
    expect(rows).toEqual([{ flow: 6, by_somebody: true }]);
  });
});

describe('a purchase', () => {
  test('that does not exist is not found; there is no list', async () => {
    for (const answer of [
      await app.get('/purchases/4711'),
      await app.patch('/purchases/4711', {}),
      await app.delete('/purchases/4711'),
      await app.put('/purchases/4711/costs', { costs: [] }),
      await app.post('/purchases/4711/flow', {}),
      await app.get('/purchases/4711/flow-decisions'),
    ]) {
      expect(answer.status).toBe(404);
      expect(answer.text).toMatch(/not found/i);
    }
    const list = await app.get('/purchases/');
    expect(list.status).toBe(405);
    expect(list.headers['allow']).toContain('POST');
  });

  test('is changed by admins and seen by readers', async () => {
    const { id } = await create();
    const reader = { role: 'user' } as const;
    expect((await app.get(`/purchases/${id}`, reader)).status).toBe(200);
    expect((await app.get(`/purchases/${id}/flow-decisions`, reader)).status).toBe(200);
    for (const answer of [
      await app.post('/purchases', {}, reader),
      await app.patch(`/purchases/${id}`, {}, reader),
      await app.delete(`/purchases/${id}`, reader),
      await app.put(`/purchases/${id}/costs`, {}, reader),
      await app.post(`/purchases/${id}/flow`, {}, reader),
    ]) {
      expect(answer.status).toBe(403);
    }
  });

  test('goes with its stages, costs and decisions, and touches its purpose', async () => {
    const { id, flow_stages } = await create({ costs: [ils(1)] });
    const before = await lastModified();
    expect((await app.delete(`/purchases/${id}`)).status).toBe(204);
    expect((await app.get(`/purchases/${id}`)).status).toBe(404);
    expect((await app.get(`/stages/${flow_stages.flat()[0]?.id}`)).status).toBe(404);
    const { rows } = await sql`select id from cost where purchase_id = ${id}
      union all select id from flow_decision where purchase_id = ${id}`.execute(app.db);
    expect(rows).toEqual([]);
    const purpose = (await app.get(`/purposes/${purposeId}`)).as(getPurpose);
    expect(purpose.last_modified > before).toBe(true);
    expect(purpose).toMatchObject({ purchases: [], pending_authority: null });
  });

  test('tells where it stands as its stages are completed', async () => {
    const today = new Date().toISOString().slice(0, 10);
    const daysSince = (day: string) => (Date.parse(today) - Date.parse(day)) / 86_400_000;
    const { id, flow_stages } = await create({ costs: [ils(1)] });
    const [emf, security, letter, bom] = flow_stages.flat();
    await complete(emf?.id ?? 0, '2026-01-01');
    await complete(letter?.id ?? 0, '2026-01-04');
    const now = await get(id);
    expect(now.current_pending_stages.map((stage) => stage.id)).toEqual([security?.id, bom?.id]);
    expect(now.days_since_last_completion).toBe(daysSince('2026-01-01'));
    expect(now.pending_authority?.name).toBe('Security Office');
    expect(now.flow_stages.flat().map((stage) => stage.days_since_previous_stage)).toEqual([
      null,
      daysSince('2026-01-01'),
      3,
      daysSince('2026-01-01'),
      daysSince('2026-01-04'),
      null,
      null,
      null,
      null,
      null,
      null,
    ]);
    for (const stage of flow_stages.flat()) {
      await complete(stage.id, '2025-12-31');
    }
    expect(await get(id)).toMatchObject({
      current_pending_stages: [],
      days_since_last_completion: null,
      // Everything is complete: the authority of the last step is still reported, as in v1.
      pending_authority: { name: 'IT Department' },
    });
  });
});

describe('editing a purchase', () => {
  test('sets, keeps and clears the budget source; costs and purpose are not looked at', async () => {
    const created = await create({ costs: [ils(5)], budget_source_id: 1 });
    const { id } = created;
    expect(await patch(id, {})).toEqual(created);
    expect(await patch(id, { costs: [], purpose_id: 4711, predefined_flow_id: 1 })).toEqual(created);
    expect(await patch(id, { budget_source_id: 2 })).toMatchObject({ budget_source: { id: 2 } });
    expect(await patch(id, { stages: null })).toMatchObject({ budget_source_id: 2 });
    expect(await patch(id, { budget_source_id: null })).toMatchObject({
      budget_source_id: null,
      budget_source: null,
    });
    const refused = await app.patch(`/purchases/${id}`, { budget_source_id: 4711, stages: [] });
    expect(refused.status).toBe(400);
    expect(refused.json()).toMatchObject({ detail: 'Budget source with ID 4711 not found' });
    expect((await get(id)).flow_stages).toEqual(created.flow_stages);
  });

  test.each([
    [{ budget_source_id: null }, true],
    [{ stages: null }, true],
    [{ stages: [] }, true],
    [{}, false],
    [{ costs: [] }, false],
  ])('touches the purpose for any known member, even an equal value: %j', async (body, touches) => {
    const { id } = await create();
    const before = await lastModified();
    const answer = await app.patch(`/purchases/${id}`, body);
    expect(answer.headers['etag']).toBe(touches ? '"2"' : '"1"');
    expect((await lastModified()) > before).toBe(touches);
  });

  test('an edit on an old state is refused and changes nothing', async () => {
    const { id, flow_stages } = await create({ costs: [ils(1)] });
    const etag = String((await app.get(`/purchases/${id}`)).headers['etag']);
    // Somebody completes a stage of it meanwhile.
    await complete(flow_stages.flat()[0]?.id ?? 0);
    const headers = { 'if-match': etag };
    for (const answer of [
      await app.patch(`/purchases/${id}`, { stages: [] }, { headers }),
      await app.delete(`/purchases/${id}`, { headers }),
      await app.put(`/purchases/${id}/costs`, { costs: [] }, { headers }),
      await app.post(`/purchases/${id}/flow`, {}, { headers }),
    ]) {
      expect(answer.status).toBe(412);
      expect(answer.headers['etag']).toBe('"2"');
    }
    expect((await get(id)).flow_stages).toHaveLength(9);
    expect((await app.delete(`/purchases/${id}`, { headers: { 'if-match': '"2"' } })).status).toBe(204);
  });

  test('a budget source that is deleted is cleared, and that touches the purpose', async () => {
    const source = (await app.post('/budget-sources', { name: 'Short-lived' })).as(budgetSources.create);
    const { id } = await create({ budget_source_id: source.id });
    const before = await lastModified();
    await app.delete(`/budget-sources/${source.id}`);
    expect(await get(id)).toMatchObject({ budget_source_id: null, budget_source: null });
    expect((await lastModified()) > before).toBe(true);
    expect((await app.get(`/purchases/${id}`)).headers['etag']).toBe('"2"');
  });
});

describe('editing the chain of stages', () => {
  const chainOf = (purchase: { flow_stages: contract.Purchase['flow_stages'] }) =>
    purchase.flow_stages.flat().map(({ id, stage_type, priority, custom_name }) => ({
      id,
      type: stage_type.name,
      priority,
      ...(custom_name === null ? {} : { custom_name }),
    }));

  test('keeps, moves, adds and drops; kept stages keep all they hold', async () => {
    const created = await create({ costs: [ils(1)] });
    const [emf, security, letter] = created.flow_stages.flat();
    await app.patch(`/stages/${emf?.id}`, { value: '77', note: 'n', completion_date: '2026-01-01' });
    const edited = await patch(created.id, {
      stages: [
        { id: letter?.id, note: 'ignored' },
        [{ id: emf?.id }, { stage_type_id: 18, note: 'ignored' }],
        { custom_name: 'Ask the lawyer', note: 'soon' },
      ],
    });
    expect(chainOf(edited)).toEqual([
      { id: letter?.id, type: 'letter_of_necessity', priority: 1 },
      { id: emf?.id, type: 'emf_id', priority: 2 },
      { id: expect.any(Number), type: 'order_id', priority: 2 },
      { id: expect.any(Number), type: 'custom', priority: 3, custom_name: 'Ask the lawyer' },
    ]);
    expect(edited.flow_stages.flat()).toMatchObject([
      { note: null },
      { value: '77', note: 'n', completion_date: '2026-01-01' },
      { value: null, note: null, completion_date: null },
      {
        note: 'soon',
        stage_type: {
          display_name: 'Custom',
          responsible_authority: null,
          value_required: false,
          is_optional: true,
        },
      },
    ]);
    expect((await app.get(`/stages/${security?.id}`)).status).toBe(404);
  });

  test('a custom stage takes no value and keeps its name', async () => {
    const { id } = await create();
    const { flow_stages } = await patch(id, { stages: [{ custom_name: 'x' }] });
    const stage = flow_stages.flat()[0]?.id;
    expect((await app.patch(`/stages/${stage}`, { value: 'v' })).status).toBe(400);
    await app.patch(`/stages/${stage}`, { custom_name: 'y', note: 'n' });
    expect((await app.get(`/stages/${stage}`)).as(getStage)).toMatchObject({ custom_name: 'x', note: 'n' });
  });

  test('the type of custom stages is made once, however many need it first', async () => {
    await sql`delete from stage where stage_type_id in (select id from stage_type where name = 'custom')`.execute(
      app.db,
    );
    await sql`delete from stage_type where name = 'custom'`.execute(app.db);
    const created = await Promise.all(Array.from({ length: 8 }, () => create()));
    const edited = await Promise.all(
      created.map(({ id }) => patch(id, { stages: [{ custom_name: `of ${id}` }] })),
    );
    expect(new Set(edited.map(({ flow_stages }) => flow_stages.flat()[0]?.stage_type_id)).size).toBe(1);
  });

  test('an empty level leaves a gap, a repeated id counts where it comes last, an empty list clears', async () => {
    const created = await create({ costs: [ils(1)] });
    const [emf, security] = created.flow_stages.flat();
    const edited = await patch(created.id, {
      stages: [{ id: emf?.id }, [], [{ id: security?.id }], [{ id: emf?.id }]],
    });
    expect(chainOf(edited)).toEqual([
      { id: security?.id, type: 'information_security', priority: 3 },
      { id: emf?.id, type: 'emf_id', priority: 4 },
    ]);
    expect(edited.current_pending_stages.map(({ id }) => id)).toEqual([security?.id]);
    expect(await patch(created.id, { stages: [] })).toMatchObject({
      flow_stages: [],
      pending_authority: null,
    });
  });

  test('completed stages that are not named go, too', async () => {
    const created = await create({ costs: [ils(1)] });
    const [emf, security] = created.flow_stages.flat();
    await complete(emf?.id ?? 0);
    expect(chainOf(await patch(created.id, { stages: [{ id: security?.id }] }))).toHaveLength(1);
  });

  test.each([
    ['an unknown stage', [{ id: 4711 }], 'Stage with ID 4711 not found'],
    ['an unknown stage type', [[{ stage_type_id: 4711 }]], 'Stage type with ID 4711 not found'],
    [
      'an unknown stage type beside custom ones',
      [{ custom_name: 'a' }, { stage_type_id: 0 }],
      'Stage type with ID 0 not found',
    ],
  ])('%s is refused before anything changes', async (_, stages, detail) => {
    const created = await create({ costs: [ils(1)] });
    const refused = await app.patch(`/purchases/${created.id}`, { stages, budget_source_id: 1 });
    expect(refused.status).toBe(400);
    expect(refused.text).toContain(detail);
    expect(await get(created.id)).toEqual(created);
    expect((await app.get(`/purchases/${created.id}`)).headers['etag']).toBe('"1"');
  });

  test('a stage of another purchase is refused', async () => {
    const [one, other] = [await create({ costs: [ils(1)] }), await create({ costs: [ils(1)] })];
    const refused = await app.patch(`/purchases/${one.id}`, {
      stages: [{ id: other.flow_stages.flat()[0]?.id }],
    });
    expect(refused.status).toBe(400);
    expect(refused.text).toMatch(/not found/);
    expect(await get(other.id)).toEqual(other);
  });

  test.each([
    [[{}]],
    [[{ note: 'only' }]],
    [[{ id: null, stage_type_id: null }]],
    [[{ id: 1, stage_type_id: 6 }]],
    [[[{ stage_type_id: 6, custom_name: 'x' }]]],
    [[{ custom_name: '' }]],
    [[{ custom_name: 'x'.repeat(256) }]],
    [[{ custom_name: 5 }]],
    [[{ id: 'x' }]],
    [[[[{ id: 1 }]]]],
    [[7]],
    ['all'],
    [{}],
  ])('a malformed edit is refused and changes nothing: %j', async (stages) => {
    const { id } = await create({ costs: [ils(1)] });
    const refused = await app.patch(`/purchases/${id}`, { stages });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('"stages"');
    expect((await app.get(`/purchases/${id}`)).headers['etag']).toBe('"1"');
  });
});

describe('correcting costs', () => {
  test('lines with an id change, lines without are added, the others go; the stages stay', async () => {
    const created = await create({ costs: [ils(1), ils(2), ils(3)] });
    const [one, two] = created.costs;
    const corrected = (
      await app.put(`/purchases/${created.id}/costs`, {
        costs: [
          { id: two?.id, currency: 'SUPPORT_USD', amount: '2.5' },
          { id: null, ...ils(9) },
          { id: one?.id, ...ils(1) },
        ],
      })
    ).as(contract.replaceCosts);
    expect(corrected.costs).toEqual([
      { ...one },
      { ...two, currency: 'SUPPORT_USD', amount: 2.5 },
      { id: expect.any(Number), purchase_id: created.id, currency: 'ILS', amount: 9 },
    ]);
    expect(corrected.flow_stages).toEqual(created.flow_stages);
    expect(
      (await app.put(`/purchases/${created.id}/costs`, { costs: [] })).as(contract.replaceCosts).costs,
    ).toEqual([]);
    expect(await decisions(created.id)).toHaveLength(1);
  });

  test('touches the purpose and raises the version once', async () => {
    const { id, costs } = await create({ costs: [ils(1)] });
    const before = await lastModified();
    const answer = await app.put(`/purchases/${id}/costs`, { costs: [{ ...costs[0], amount: 2 }, ils(3)] });
    expect(answer.headers['etag']).toBe('"2"');
    expect((await lastModified()) > before).toBe(true);
  });

  test('a line of another purchase, or one named twice, is refused and changes nothing', async () => {
    const [one, other] = [await create({ costs: [ils(1)] }), await create({ costs: [ils(2)] })];
    const strange = other.costs[0]?.id;
    const own = one.costs[0]?.id;
    for (const costs of [
      [{ id: strange, ...ils(5) }],
      [
        { id: own, ...ils(5) },
        { id: own, ...ils(6) },
      ],
    ]) {
      expect((await app.put(`/purchases/${one.id}/costs`, { costs })).status).toBe(400);
    }
    expect(
      (await app.put(`/purchases/${one.id}/costs`, { costs: [{ currency: 'XXX', amount: 1 }] })).status,
    ).toBe(422);
    expect((await app.put(`/purchases/${one.id}/costs`, {})).status).toBe(422);
    expect([await get(one.id), await get(other.id)]).toEqual([one, other]);
  });
});

describe('choosing the flow again', () => {
  const choose = async (id: number, body?: object) =>
    (await app.post(`/purchases/${id}/flow`, body)).as(contract.chooseFlow);

  test('after a correction of the costs, with every completed stage kept', async () => {
    const created = await create({ costs: [{ currency: 'ILS', amount: 5 }] });
    const stages = created.flow_stages.flat();
    const named = (name: string) => stages.find(({ stage_type }) => stage_type.name === name)?.id ?? 0;
    await app.patch(`/stages/${named('emf_id')}`, { value: '42', completion_date: '2026-01-01' });
    await complete(named('Committees'), '2026-01-02');
    await app.put(`/purchases/${created.id}/costs`, {
      costs: [{ currency: 'SUPPORT_USD', amount: 5 }],
    });

    const planned = await choose(created.id, { dry_run: true });
    expect(planned).toMatchObject({
      dry_run: true,
      flow_name: 'SUPPORT_USD_FLOW',
      rule_name: 'Support dollars below 400,000',
    });
    expect(planned.removed.map(({ stage_type }) => stage_type.name)).toEqual(['mnhr']);
    expect((await get(created.id)).flow_stages.flat()).toHaveLength(11);
    expect(await decisions(created.id)).toHaveLength(1);

    const chosen = await choose(created.id);
    expect({ ...chosen, dry_run: true }).toEqual(planned);
    const now = await get(created.id);
    expect(now.flow_stages.flat().map(({ stage_type, priority }) => [priority, stage_type.name])).toEqual(
      planned.stages.map(({ stage_type, priority }) => [priority, stage_type.name]),
    );
    // The committees are no part of the new flow, but they have decided: they stand in front.
    expect(now.flow_stages.flat().slice(0, 2)).toMatchObject([
      { id: named('Committees'), priority: 1, completion_date: '2026-01-02' },
      { id: named('emf_id'), priority: 2, value: '42', completion_date: '2026-01-01' },
    ]);
    expect((await decisions(created.id)).map(({ flow_name }) => flow_name)).toEqual([
      'SUPPORT_USD_FLOW',
      'ILS_FLOW',
    ]);
    const { rows } =
      await sql`select predefined_flow_id as flow from purchase where id = ${created.id}`.execute(app.db);
    expect(rows).toEqual([{ flow: 2 }]);
  });

  test('the same flow again changes nothing but is on record', async () => {
    const created = await create({ costs: [ils(5)] });
    const { etag } = (await app.get(`/purchases/${created.id}`)).headers;
    await choose(created.id, {});
    expect(await get(created.id)).toEqual(created);
    expect((await app.get(`/purchases/${created.id}`)).headers['etag']).not.toBe(etag);
    expect(await decisions(created.id)).toHaveLength(2);
  });

  test('without a flow only completed stages remain', async () => {
    const created = await create({ costs: [ils(5)] });
    const first = created.flow_stages.flat()[0]?.id ?? 0;
    await complete(first);
    await app.put(`/purchases/${created.id}/costs`, { costs: [] });
    expect(await choose(created.id)).toMatchObject({ flow_id: null, rule_name: 'No costs' });
    expect((await get(created.id)).flow_stages.flat().map(({ id }) => id)).toEqual([first]);
  });

  test.each([
    [{ dry_run: 'maybe' }, 'dry_run'],
    [{ date: 'soon' }, 'date'],
    [[], 'body'],
  ])('malformed input is refused and names the field: %j', async (body, field) => {
    const { id } = await create();
    const refused = await app.post(`/purchases/${id}/flow`, body);
    expect(refused.status).toBe(422);
    expect(refused.text).toContain(`"${field}"`);
  });
});
