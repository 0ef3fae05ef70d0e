import * as contract from '@calculaud/contract/analytics';
import type { Router } from '../platform/http.ts';
import type { Services } from '../platform/services.ts';
import * as analytics from './service.ts';

export function analyticsRoutes(router: Router, services: Services): void {
  router.handle(contract.serviceTypesDistribution, async ({ query }) => ({
    json: await analytics.serviceTypesDistribution(services, query),
  }));
  router.handle(contract.statusesDistribution, async ({ query }) => ({
    json: await analytics.statusesDistribution(services, query),
  }));
  router.handle(contract.pendingAuthoritiesDistribution, async ({ query }) => ({
    json: await analytics.pendingAuthoritiesDistribution(services, query),
  }));
  router.handle(contract.pendingStagesDistribution, async ({ query }) => ({
    json: await analytics.pendingStagesDistribution(services, query),
  }));
  router.handle(contract.serviceTypesByStatus, async ({ params, query }) => ({
    json: await analytics.serviceTypesByStatus(services, params.status, query),
  }));
  router.handle(contract.serviceQuantities, async ({ query }) => ({
    json: await analytics.serviceQuantities(services, query),
  }));
  router.handle(contract.costsByServiceType, async ({ query }) => ({
    json: await analytics.costsByServiceType(services, query),
  }));
  router.handle(contract.costsByBudgetSource, async ({ query }) => ({
    json: await analytics.costsByBudgetSource(services, query),
  }));
  router.handle(contract.purposeProcessingTimes, async ({ query }) => ({
    json: await analytics.purposeProcessingTimes(services, query),
  }));
  router.handle(contract.stageProcessingTimes, async ({ query }) => ({
    json: await analytics.stageProcessingTimes(services, query),
  }));
}
