import { budgetSources } from '@calculaud/contract/catalog';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

test('a budget source is added, found, renamed and deleted', async () => {
  const added = (await app.post('/budget-sources/', { name: 'Reserve 100%' })).as(budgetSources.create);
  const found = (await app.get('/budget-sources?search=100%25')).as(budgetSources.list);
  expect(found.items).toEqual([added]);
  const renamed = await app.patch(`/budget-sources/${added.id}`, { name: 'Reserve' });
  expect(renamed.as(budgetSources.update)).toEqual({ id: added.id, name: 'Reserve' });
  expect((await app.delete(`/budget-sources/${added.id}`)).status).toBe(204);
  expect((await app.get(`/budget-sources/${added.id}`)).status).toBe(404);
});
