import * as contract from '@calculaud/contract/flow-rules';
import type { Router } from '../platform/http.ts';
import type { Services } from '../platform/services.ts';
import * as flowRules from './service.ts';

export function flowRulesRoutes(router: Router, services: Services): void {
  router.handle(contract.listFlowRules, async ({ query }) => ({
    json: await flowRules.listRules(services, query),
  }));
  router.handle(contract.getFlowRule, async ({ params }) => ({
    json: await flowRules.getRule(services, params.rule_id),
  }));
  router.handle(contract.createFlowRule, async ({ body }, context) => ({
    json: await flowRules.createRule(services, context, body),
  }));
  router.handle(contract.updateFlowRule, async ({ params, body }, context) => ({
    json: await flowRules.updateRule(services, context, params.rule_id, body),
  }));
  router.handle(contract.deleteFlowRule, async ({ params }, context) => {
    await flowRules.deleteRule(services, context, params.rule_id);
    return undefined;
  });
  router.handle(contract.previewFlow, async ({ body }, { today }) => ({
    json: await flowRules.previewFlow(services, {
      costs: body.costs,
      service_type_id: body.service_type_id ?? null,
      hierarchy_id: body.hierarchy_id ?? null,
      date: body.date ?? today,
    }),
  }));
}
