import * as contract from '@calculaud/contract/hierarchies';
import type { Router } from '../platform/http.ts';
import type { Services } from '../platform/services.ts';
import * as hierarchies from './service.ts';

export function hierarchiesRoutes(router: Router, services: Services): void {
  const { db } = services;
  router.handle(contract.listHierarchies, async ({ query }) => ({
    json: await hierarchies.listNodes(services, query),
  }));
  router.handle(contract.hierarchyTrees, async ({ query }) => ({
    json: await hierarchies.getTree(db, query),
  }));
  router.handle(contract.getHierarchy, async ({ params }) => ({
    json: await hierarchies.getNode(db, params.hierarchy_id),
  }));
  router.handle(contract.hierarchyChildren, async ({ params, query }) => ({
    json: await hierarchies.listChildren(db, params.hierarchy_id, query.limit),
  }));
  router.handle(contract.createHierarchy, async ({ body }, context) => ({
    json: await hierarchies.createNode(services, context, body),
  }));
  router.handle(contract.updateHierarchy, async ({ params, body }, context) => ({
    json: await hierarchies.updateNode(services, context, params.hierarchy_id, body),
  }));
  router.handle(contract.deleteHierarchy, async ({ params }, context) => {
    await hierarchies.deleteNode(services, context, params.hierarchy_id);
    return undefined;
  });
}
