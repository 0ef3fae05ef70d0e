import * as currencies from '@calculaud/contract/currencies';
import * as contract from '@calculaud/contract/flow-rules';
import * as flows from '@calculaud/contract/flows';
import { createHierarchy } from '@calculaud/contract/hierarchies';
import * as purchases from '@calculaud/contract/purchases';
import { createPurpose } from '@calculaud/contract/purposes';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';
import { chooseRule, factsOf } from './rules.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

const listRules = async () => (await app.get('/flow-rules/')).as(contract.listFlowRules).items;
const preview = async (body: object) =>
  (await app.post('/flow-rules/preview', body)).as(contract.previewFlow);
const addRule = async (body: object) =>
  (await app.post('/flow-rules/', { name: 'test', ...body })).as(contract.createFlowRule);

/** Back to the rules of a new installation. */
afterEach(async () => {
  await sql`delete from flow_rule where id > 7`.execute(app.db);
  await sql`update flow_rule set position = id, is_active = true`.execute(app.db);
});

describe('the rules of a new installation', () => {
  // Contract 3.9, in whole ten-thousandths so that sums are exact.
  function v1Flow(costs: readonly { currency: string; units: bigint }[]): string | null {
    const sum = costs.reduce((total, { units }) => total + units, 0n);
    const large = sum >= 400_000n * 10_000n;
    const [only] = costs;
    if (!only) return null;
    if (costs.length >= 2) return large ? 'MIXED_USD_ABOVE_400K_FLOW' : 'MIXED_USD_FLOW';
    switch (only.currency) {
      case 'SUPPORT_USD':
        return large ? 'SUPPORT_USD_ABOVE_400K_FLOW' : 'SUPPORT_USD_FLOW';
      case 'AVAILABLE_USD':
        return 'AVAILABLE_USD_FLOW';
      default:
        return 'ILS_FLOW';
    }
  }

  test('choose what v1 chose, for any costs', async () => {
    const rules = await listRules();
    const boundary = fc.integer({ min: -2, max: 2 }).map((near) => 4_000_000_000 + near);
    const cost = fc.record({
      currency: fc.constantFrom('SUPPORT_USD', 'AVAILABLE_USD', 'ILS'),
      units: fc.oneof(boundary, fc.integer({ min: 0, max: 8_000_000_000 }), fc.integer({ min: 0, max: 20 })),
    });
    // Several costs whose sum lies at the boundary, in parts that a float cannot add.
    const split = fc
      .tuple(fc.array(fc.integer({ min: 1, max: 999_999_999 }), { minLength: 1, maxLength: 4 }), boundary)
      .map(([parts, total]) => [...parts, total - parts.reduce((sum, part) => sum + part, 0)])
      .map((parts) => parts.map((units, index) => ({ currency: index % 2 ? 'ILS' : 'SUPPORT_USD', units })));
    let atBoundary = 0;
    fc.assert(
      fc.property(fc.oneof(fc.array(cost, { maxLength: 6 }), split), (costs) => {
        const facts = factsOf({
          date: '2026-01-01',
          // As a client sends them: JSON numbers.
          costs: costs.map(({ currency, units }) => ({ currency, amount: String(units / 10_000) })),
          isoCodes: new Map(),
          base: 'ILS',
          rates: [],
          service_type_id: null,
          hierarchy_id: null,
          hierarchy_path: [],
        });
        const expected = v1Flow(costs.map(({ currency, units }) => ({ currency, units: BigInt(units) })));
        atBoundary += Number(facts.plain_total === '400000');
        expect(chooseRule(rules, facts).rule?.flow_name ?? null).toBe(expected);
      }),
      { numRuns: 3000 },
    );
    expect(atBoundary).toBeGreaterThan(100);
  });

  test.each([
    [[], null],
    [[['ILS', 1_000_000]], 'ILS_FLOW'],
    [[['AVAILABLE_USD', 1_000_000]], 'AVAILABLE_USD_FLOW'],
    [[['SUPPORT_USD', 399_999.99]], 'SUPPORT_USD_FLOW'],
    [[['SUPPORT_USD', 400_000]], 'SUPPORT_USD_ABOVE_400K_FLOW'],
    [
      [
        ['SUPPORT_USD', 399_999.9],
        ['ILS', 0.1],
      ],
      'MIXED_USD_ABOVE_400K_FLOW',
    ],
    [
      [
        ['ILS', 399_999.9],
        ['ILS', 0.09],
      ],
      'MIXED_USD_FLOW',
    ],
  ] as const)('give costs of %j the flow %s', async (costs, flow) => {
    const purpose = (await app.post('/purposes', {})).as(createPurpose);
    const purchase = (
      await app.post('/purchases/', {
        purpose_id: purpose.id,
        costs: costs.map(([currency, amount]) => ({ currency, amount })),
      })
    ).as(purchases.createPurchase);
    const [decision] = (await app.get(`/purchases/${purchase.id}/flow-decisions`)).as(
      purchases.listFlowDecisions,
    );
    expect(decision?.flow_name).toBe(flow);
    // The stages are the template's, in its order.
    const { rows } = await sql<{ type: number; priority: number }>`
      select t.stage_type_id as type, t.priority
      from predefined_flow_stage t join predefined_flow f on f.id = t.predefined_flow_id
      where f.flow_name = ${flow} order by t.priority, t.id`.execute(app.db);
    expect(
      purchase.flow_stages.flat().map(({ stage_type_id, priority }) => ({ type: stage_type_id, priority })),
    ).toEqual(rows);
  });
});

describe('editing rules', () => {
  test('a rule is added behind the others, shown, changed and deleted', async () => {
    const added = await addRule({ flow_name: 'ILS_FLOW', conditions: { lines: { min: '3' } } });
    expect(added).toMatchObject({
      position: 8,
      is_active: true,
      conditions: { lines: { min: 3 } },
      flow_id: 1,
    });
    const changed = (
      await app.patch(`/flow-rules/${added.id}`, {
        name: 'other',
        flow_name: null,
        is_active: 'no',
        conditions: null,
      })
    ).as(contract.updateFlowRule);
    expect(changed).toEqual({ ...added, name: 'other', flow_name: null, flow_id: null, is_active: false });
    expect((await app.get(`/flow-rules/${added.id}`)).as(contract.getFlowRule)).toEqual(changed);
    expect((await app.patch(`/flow-rules/${added.id}`, {})).as(contract.updateFlowRule)).toEqual(changed);
    expect((await app.delete(`/flow-rules/${added.id}`)).status).toBe(204);
    for (const gone of [
      await app.get(`/flow-rules/${added.id}`),
      await app.patch(`/flow-rules/${added.id}`, {}),
      await app.patch(`/flow-rules/${added.id}`, { name: 'x' }),
      await app.delete(`/flow-rules/${added.id}`),
    ]) {
      expect(gone.status).toBe(404);
      expect(gone.text).toMatch(/not found/i);
    }
  });

  test('positions stay 1, 2, 3 … whatever is added, moved and deleted, by many at once too', async () => {
    const order = async () => {
      const rules = await listRules();
      expect(rules.map(({ position }) => position)).toEqual(rules.map((_, index) => index + 1));
      return rules.map(({ id }) => id);
    };
    const { id } = await addRule({ flow_name: null, position: 3 });
    expect(await order()).toEqual([1, 2, id, 3, 4, 5, 6, 7]);
    await app.patch(`/flow-rules/${id}`, { position: 1 });
    expect(await order()).toEqual([id, 1, 2, 3, 4, 5, 6, 7]);
    await app.patch(`/flow-rules/${id}`, { position: 5 });
    expect(await order()).toEqual([1, 2, 3, 4, id, 5, 6, 7]);
    await app.patch(`/flow-rules/${id}`, { position: 5 });
    expect(await order()).toEqual([1, 2, 3, 4, id, 5, 6, 7]);
    await app.patch(`/flow-rules/${id}`, { position: 1000 });
    expect(await order()).toEqual([1, 2, 3, 4, 5, 6, 7, id]);
    await app.patch(`/flow-rules/${id}`, { position: 2 });
    await app.delete(`/flow-rules/${id}`);
    expect(await order()).toEqual([1, 2, 3, 4, 5, 6, 7]);

    const added = await Promise.all(
      Array.from({ length: 8 }, (_, index) => addRule({ flow_name: null, position: index + 1 })),
    );
    expect(await order()).toHaveLength(15);
    await Promise.all(
      added.map((rule, index) =>
        index % 2
          ? app.delete(`/flow-rules/${rule.id}`)
          : app.patch(`/flow-rules/${rule.id}`, { position: 15 - index }),
      ),
    );
    expect(await order()).toHaveLength(11);
  });

  test.each([
    [{ flow_name: 'NO_SUCH_FLOW' }, 'NO_SUCH_FLOW'],
    [{ flow_name: null, conditions: { currencies: { only: ['ILS', 'XXX'] } } }, 'XXX'],
    [{ flow_name: null, conditions: { currencies: { all: ['YYY'] } } }, 'YYY'],
    [{ flow_name: null, conditions: { service_type_ids: [99999] } }, '99999'],
    [{ flow_name: null, conditions: { hierarchy_ids: [88888] } }, '88888'],
  ])('a rule that refers to what does not exist is refused: %j', async (body, named) => {
    const id = (await listRules())[0]?.id;
    for (const refused of [
      await app.post('/flow-rules/', { name: 'x', ...body }),
      await app.patch(`/flow-rules/${id}`, body),
    ]) {
      expect(refused.status).toBe(400);
      expect(refused.text).toContain(named);
    }
    expect(await listRules()).toHaveLength(7);
  });

  test.each([
    [{ flow_name: null }, 'name'],
    [{ name: '', flow_name: null }, 'name'],
    [{ name: 'x' }, 'flow_name'],
    [{ name: 'x', flow_name: null, position: 0 }, 'position'],
    [{ name: 'x', flow_name: null, conditions: { lines: { min: -1 } } }, 'min'],
    [{ name: 'x', flow_name: null, conditions: { total: { at_least: 1 } } }, 'basis'],
    [{ name: 'x', flow_name: null, conditions: { total: { basis: 'sum' } } }, 'basis'],
    [{ name: 'x', flow_name: null, conditions: { total: { basis: 'plain', below: 'inf' } } }, 'below'],
    [{ name: 'x', flow_name: null, conditions: { currencies: { only: [] } } }, 'only'],
    [{ name: 'x', flow_name: null, conditions: [] }, 'conditions'],
  ])('malformed input is refused and names the field: %j', async (body, field) => {
    const refused = await app.post('/flow-rules/', body);
    expect(refused.status).toBe(422);
    expect(refused.text).toContain(`"${field}"`);
  });

  test('readers see and try the rules; only admins change them', async () => {
    const reader = { role: 'user' } as const;
    expect((await app.get('/flow-rules', reader)).status).toBe(200);
    expect((await app.post('/flow-rules/preview', {}, reader)).status).toBe(200);
    expect((await app.post('/flow-rules', {}, reader)).status).toBe(403);
    expect((await app.patch('/flow-rules/1', {}, reader)).status).toBe(403);
    expect((await app.delete('/flow-rules/1', reader)).status).toBe(403);
  });

  test('changes are on the audit trail with who made them', async () => {
    const { id } = await addRule({ flow_name: null });
    const { rows } = await sql<{ action: string; name: string }>`
      select a.action, p.name from audit_entry a join principal p on p.id = a.principal_id
      where a.entity = 'flow_rule' and a.entity_id = ${id}`.execute(app.db);
    expect(rows).toEqual([{ action: 'insert', name: 'Tester' }]);
  });
});

describe('what a rule decides', () => {
  test('an inactive rule is passed over', async () => {
    const { id } = await addRule({ flow_name: 'SUPPORT_USD_FLOW', position: 1 });
    expect((await preview({ costs: [] })).flow?.flow_name).toBe('SUPPORT_USD_FLOW');
    await app.patch(`/flow-rules/${id}`, { is_active: false });
    expect((await preview({ costs: [] })).rule?.name).toBe('No costs');
  });

  test('a rename of a flow follows in the rules; a flow that is gone refuses the purchases that need it', async () => {
    const flow = (await app.post('/predefined-flows/', { flow_name: 'SPECIAL', stages: ['bom'] })).as(
      flows.createPredefinedFlow,
    );
    const rule = await addRule({ flow_name: 'SPECIAL', position: 1, name: 'Always special' });
    await app.patch(`/predefined-flows/${flow.id}`, { flow_name: 'VERY_SPECIAL' });
    expect((await app.get(`/flow-rules/${rule.id}`)).as(contract.getFlowRule)).toMatchObject({
      flow_name: 'VERY_SPECIAL',
      flow_id: flow.id,
    });
    expect((await preview({})).flow?.flow_stages).toHaveLength(1);

    expect((await app.delete(`/predefined-flows/${flow.id}`)).status).toBe(204);
    const shown = await preview({});
    expect(shown).toMatchObject({ rule: { id: rule.id, flow_id: null }, flow: null });
    expect(shown.reason).toContain('VERY_SPECIAL');
    const purpose = (await app.post('/purposes', {})).as(createPurpose);
    const refused = await app.post('/purchases', { purpose_id: purpose.id });
    expect(refused.status).toBe(409);
    expect(refused.text).toMatch(/Always special.*VERY_SPECIAL/);
    const after = (await app.get(`/purposes/${purpose.id}`)).text;
    expect(JSON.parse(after)).toMatchObject({ purchases: [] });
  });

  test('the preview tells the rule, the flow with its stages, and why each earlier rule did not match', async () => {
    const shown = await preview({ costs: [{ currency: 'SUPPORT_USD', amount: '400000' }] });
    expect(shown.rule?.name).toBe('Support dollars of 400,000 or more');
    expect(shown.flow?.flow_name).toBe('SUPPORT_USD_ABOVE_400K_FLOW');
    expect(shown.flow?.flow_stages).toHaveLength(10);
    expect(shown.reason).toMatch(/SUPPORT_USD.*400000/);
    expect(shown.tried.map(({ rule_id, matches }) => [rule_id, matches])).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [4, false],
      [5, true],
    ]);
    for (const { checks, matches } of shown.tried) {
      expect(checks.every(({ holds }) => holds)).toBe(matches);
    }
    expect(shown.facts).toMatchObject({ lines: 1, plain_total: '400000', currencies: ['SUPPORT_USD'] });
  });

  test('the preview refuses a currency that costs cannot have', async () => {
    const refused = await app.post('/flow-rules/preview', { costs: [{ currency: 'GBP', amount: 1 }] });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('"currency"');
  });

  test('service type and hierarchy of the purpose count, a node with everything below it', async () => {
    const root = (await app.post('/hierarchies', { type: 'UNIT', name: 'Rule root' })).as(createHierarchy);
    const leaf = (await app.post('/hierarchies', { type: 'TEAM', name: 'Rule leaf', parent_id: root.id })).as(
      createHierarchy,
    );
    const rule = await addRule({
      flow_name: 'ILS_FLOW',
      position: 1,
      conditions: { hierarchy_ids: [root.id] },
    });
    expect((await preview({ hierarchy_id: leaf.id })).rule?.id).toBe(rule.id);
    expect((await preview({ hierarchy_id: root.id })).rule?.id).toBe(rule.id);
    expect((await preview({})).rule?.id).not.toBe(rule.id);
    const purpose = (await app.post('/purposes', { hierarchy_id: leaf.id })).as(createPurpose);
    const purchase = (await app.post('/purchases', { purpose_id: purpose.id })).as(purchases.createPurchase);
    expect(purchase.flow_stages).toHaveLength(9);
  });

  test('a total in the base currency uses the rate of the day; without one the purchase is refused', async () => {
    await app.post('/currencies', { code: 'EUR', iso_code: 'EUR', name: 'Euro' });
    const rule = await addRule({
      flow_name: 'ILS_FLOW',
      position: 1,
      name: 'Large in shekels',
      conditions: { total: { basis: 'base', at_least: 1000 } },
    });
    const costs = [{ currency: 'EUR', amount: 250 }];
    const refused = await app.post('/flow-rules/preview', { costs, date: '2026-05-01' });
    expect(refused.status).toBe(409);
    expect(refused.text).toMatch(/Large in shekels.*EUR.*ILS.*2026-05-01/);

    for (const [valid_from, rate] of [
      ['2026-01-01', 3.9],
      ['2026-06-01', '4'],
    ] as const) {
      (await app.post('/exchange-rates', { currency: 'EUR', rate, valid_from })).as(
        currencies.createExchangeRate,
      );
    }
    const before = await preview({ costs, date: '2026-05-31' });
    expect(before.rule?.id).not.toBe(rule.id);
    expect(before.facts).toMatchObject({ base_total: '975', date: '2026-05-31', rates: [{ rate: '3.9' }] });
    const after = await preview({ costs, date: '2026-06-01' });
    expect(after.rule?.id).toBe(rule.id);
    expect(after.facts).toMatchObject({
      base_total: '1000',
      rates: [{ rate: '4', valid_from: '2026-06-01' }],
    });
  });
});
