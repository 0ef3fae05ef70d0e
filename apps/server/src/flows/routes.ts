import * as contract from '@calculaud/contract/flows';
import type { Router } from '../platform/http.ts';
import type { Services } from '../platform/services.ts';
import * as flows from './service.ts';

export function flowsRoutes(router: Router, services: Services): void {
  router.handle(contract.listPredefinedFlows, async ({ query }) => ({
    json: await flows.listFlows(services, query),
  }));
  router.handle(contract.getPredefinedFlow, async ({ params, query }) => ({
    json: await flows.getFlow(services, params.flow_id, query),
  }));
  router.handle(contract.createPredefinedFlow, async ({ body }, context) => ({
    json: await flows.createFlow(services, context, body),
  }));
  router.handle(contract.updatePredefinedFlow, async ({ params, body }, context) => ({
    json: await flows.updateFlow(services, context, params.flow_id, body),
  }));
  router.handle(contract.deletePredefinedFlow, async ({ params }, context) => {
    await flows.deleteFlow(services, context, params.flow_id);
    return undefined;
  });
}
