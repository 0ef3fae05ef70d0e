import { budgetSources } from '@calculaud/contract/catalog';
import type { Router } from '../platform/http.ts';
import type { Services } from '../platform/services.ts';
import * as catalog from './service.ts';

export function catalogRoutes(router: Router, services: Services): void {
  const budgetSource: catalog.CatalogueKind = { table: 'budget_source', title: 'Budget source' };
  router.handle(budgetSources.list, async ({ query }) => ({
    json: await catalog.listRecords(services, budgetSource, query),
  }));
  router.handle(budgetSources.get, async ({ params }) => ({
    json: await catalog.getRecord(services.db, budgetSource, params.id),
  }));
  router.handle(budgetSources.create, async ({ body }, context) => ({
    json: await catalog.createRecord(services, context, budgetSource, body),
  }));
  router.handle(budgetSources.update, async ({ params, body }, context) => ({
    json: await catalog.updateRecord(services, context, budgetSource, params.id, present(body)),
  }));
  router.handle(budgetSources.remove, async ({ params }, context) => {
    await catalog.deleteRecord(services, context, budgetSource, params.id);
    return undefined;
  });
}

/** The members that were sent; an optional member left out is no change. */
function present(body: Readonly<Record<string, string | number | boolean | null | undefined>>) {
  return Object.fromEntries(
    Object.entries(body).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
