import * as contract from '@calculaud/contract/catalog';
import type { Router } from '../platform/http.ts';
import type { Services } from '../platform/services.ts';
import * as catalogues from './catalogues.ts';
import * as catalog from './service.ts';

export function catalogRoutes(router: Router, services: Services): void {
  handleAll(router, services, contract.suppliers, catalogues.supplier);
  handleAll(router, services, contract.serviceTypes, catalogues.serviceType);
  handleAll(router, services, contract.services, catalogues.service);
  handleAll(router, services, contract.budgetSources, catalogues.budgetSource);
  handleAll(router, services, contract.responsibleAuthorities, catalogues.authority);
  handleAll(router, services, contract.stageTypes, catalogues.stageType);
}

type Endpoints =
  | typeof contract.suppliers
  | typeof contract.serviceTypes
  | typeof contract.services
  | typeof contract.budgetSources
  | typeof contract.responsibleAuthorities
  | typeof contract.stageTypes;

function handleAll(
  router: Router,
  services: Services,
  endpoints: Endpoints,
  catalogue: catalogues.Catalogue,
): void {
  router.handle(endpoints.list, async ({ query }, context) => ({
    json: await catalog.listRecords(services, context, catalogue, query),
  }));
  router.handle(endpoints.get, async ({ params }, context) => ({
    json: await catalog.getRecord(services, context, catalogue, params.id),
  }));
  router.handle(endpoints.create, async ({ body }, context) => ({
    json: await catalog.createRecord(services, context, catalogue, body),
  }));
  router.handle(endpoints.update, async ({ params, body }, context) => ({
    json: await catalog.updateRecord(services, context, catalogue, params.id, body),
  }));
  router.handle(endpoints.remove, async ({ params }, context) => {
    await catalog.deleteRecord(services, context, catalogue, params.id);
    return undefined;
  });
}
