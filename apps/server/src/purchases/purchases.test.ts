import * as contract from '@calculaud/contract/purchases';
import { createPurpose } from '@calculaud/contract/purposes';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

test('a new purchase gets the stages of the flow that its costs call for', async () => {
  const purpose = (await app.post('/purposes', {})).as(createPurpose);
  const costs = [
    { currency: 'ILS', amount: 100 },
    { currency: 'SUPPORT_USD', amount: '0.1' },
  ];
  const purchase = (await app.post('/purchases/', { purpose_id: purpose.id, costs })).as(
    contract.createPurchase,
  );
  expect(purchase.costs.map(({ currency, amount }) => [currency, amount])).toEqual([
    ['ILS', 100],
    ['SUPPORT_USD', 0.1],
  ]);
  expect(purchase.flow_stages).toHaveLength(9);
  const [decision] = (await app.get(`/purchases/${purchase.id}/flow-decisions`)).as(
    contract.listFlowDecisions,
  );
  expect(decision?.flow_name).toBe('MIXED_USD_FLOW');
});
