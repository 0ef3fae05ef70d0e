import { expect, test } from 'vitest';
import { chooseRule, type Circumstances, factsOf, type Rule } from './rules.ts';

const isoCodes = new Map([
  ['SUPPORT_USD', 'USD'],
  ['AVAILABLE_USD', 'USD'],
  ['ILS', 'ILS'],
  ['EUR', 'EUR'],
]);

function facts(given: Partial<Circumstances>) {
  return factsOf({
    date: '2026-01-01',
    costs: [],
    isoCodes,
    base: 'ILS',
    rates: [{ id: 1, currency: 'USD', rate: '3.7', valid_from: '2025-01-01' }],
    service_type_id: null,
    hierarchy_id: null,
    hierarchy_path: [],
    ...given,
  });
}

function rule(id: number, conditions: Rule['conditions']): Rule {
  return { id, name: `rule ${id}`, conditions, flow_name: `FLOW_${id}`, flow_id: id };
}

const usd = { currency: 'SUPPORT_USD', amount: '100.10' };
const ils = { currency: 'ILS', amount: '30' };
const eur = { currency: 'EUR', amount: '1' };

test('amounts are converted exactly at the given rates, and the rates are on record', () => {
  const { plain_total, base_total, rates, missing_rates } = facts({ costs: [usd, ils, usd] });
  expect(plain_total).toBe('230.2');
  expect(base_total).toBe('770.74');
  expect(rates).toEqual([{ id: 1, currency: 'USD', rate: '3.7', valid_from: '2025-01-01' }]);
  expect(missing_rates).toEqual([]);
});

test('without a rate there is no converted total', () => {
  const { plain_total, base_total, missing_rates } = facts({ costs: [eur, ils, eur] });
  expect(plain_total).toBe('32');
  expect(base_total).toBeNull();
  expect(missing_rates).toEqual(['EUR']);
});

test('the first rule whose conditions all hold decides, and those before say what failed', () => {
  const rules = [
    rule(1, { lines: { max: 0 } }),
    rule(2, { lines: { min: 1, max: 1 }, currencies: { only: ['SUPPORT_USD'] } }),
    rule(3, { lines: { min: 1 } }),
    rule(4, {}),
  ];
  const choice = chooseRule(rules, facts({ costs: [ils] }));
  expect(choice.rule?.id).toBe(3);
  expect(choice.tried.map(({ rule, checks }) => [rule.id, checks.map(({ holds }) => holds)])).toEqual([
    [1, [false]],
    [2, [true, false]],
    [3, [true]],
  ]);
  expect(choice.reason).toBe("Rule 'rule 3': 1 cost line (at least 1)");
});

test('no rule matches: no flow, and the reason says so', () => {
  const choice = chooseRule([rule(1, { lines: { min: 5 } })], facts({ costs: [ils] }));
  expect(choice.rule).toBeUndefined();
  expect(choice.undecided).toBeUndefined();
  expect(choice.reason).toMatch(/no rule matches/i);
});

test('a rule without conditions always matches', () => {
  expect(chooseRule([rule(1, {})], facts({})).rule?.id).toBe(1);
});

test.each([
  ['399999.999999', undefined],
  ['400000', 1],
  ['400000.000001', 1],
])('a lower limit belongs to the upper side: %s', (amount, expected) => {
  const costs = [{ currency: 'ILS', amount }];
  const atLeast = rule(1, { total: { basis: 'plain', at_least: 400000 } });
  const below = rule(2, { total: { basis: 'plain', below: 400000 } });
  expect(chooseRule([atLeast], facts({ costs })).rule?.id).toBe(expected);
  expect(chooseRule([below], facts({ costs })).rule?.id).toBe(expected === undefined ? 2 : undefined);
});

test('a total in the base currency counts dollars at their rate', () => {
  const rules = [rule(1, { total: { basis: 'base', at_least: 370.37, below: 370.38 } })];
  expect(chooseRule(rules, facts({ costs: [usd] })).rule?.id).toBe(1);
  expect(chooseRule(rules, facts({ costs: [usd, { ...ils, amount: '0.01' }] })).rule).toBeUndefined();
});

test('a missing rate leaves a rule undecided only where it would decide', () => {
  const rules = [rule(1, { lines: { min: 9 }, total: { basis: 'base', at_least: 1 } }), rule(2, {})];
  expect(chooseRule(rules, facts({ costs: [eur] })).rule?.id).toBe(2);
  const undecided = chooseRule(
    [rule(3, { total: { basis: 'base', at_least: 1 } }), rule(4, {})],
    facts({ costs: [eur] }),
  );
  expect(undecided.rule).toBeUndefined();
  expect(undecided.undecided?.id).toBe(3);
});

test('currencies: only these (and at least one), or all of these', () => {
  const only = [rule(1, { currencies: { only: ['ILS', 'EUR'] } })];
  expect(chooseRule(only, facts({ costs: [ils, eur] })).rule?.id).toBe(1);
  expect(chooseRule(only, facts({ costs: [ils, usd] })).rule).toBeUndefined();
  expect(chooseRule(only, facts({ costs: [] })).rule).toBeUndefined();
  const all = [rule(1, { currencies: { all: ['ILS', 'EUR'] } })];
  expect(chooseRule(all, facts({ costs: [ils, usd, eur] })).rule?.id).toBe(1);
  expect(chooseRule(all, facts({ costs: [ils, usd] })).rule).toBeUndefined();
});

test('service type and hierarchy: of the purpose, and a node counts with everything below it', () => {
  const rules = [rule(1, { service_type_ids: [7], hierarchy_ids: [3, 4] })];
  const of = (service_type_id: number | null, hierarchy_path: number[]) =>
    chooseRule(rules, facts({ service_type_id, hierarchy_id: hierarchy_path[0] ?? null, hierarchy_path }))
      .rule?.id;
  expect(of(7, [9, 4, 1])).toBe(1);
  expect(of(7, [4])).toBe(1);
  expect(of(7, [9, 1])).toBeUndefined();
  expect(of(7, [])).toBeUndefined();
  expect(of(8, [4])).toBeUndefined();
  expect(of(null, [4])).toBeUndefined();
});
