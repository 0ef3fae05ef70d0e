import * as contract from '@calculaud/contract/stages';
import type { Router } from '../platform/http.ts';
import type { Services } from '../platform/services.ts';
import * as stages from './service.ts';

export function stagesRoutes(router: Router, services: Services): void {
  router.handle(contract.getStage, async ({ params }) => stages.getStage(services, params.stage_id));
  router.handle(contract.updateStage, async ({ params, body }, context) =>
    stages.updateStage(services, context, params.stage_id, body),
  );
  router.handle(contract.startStage, async ({ params }, context) =>
    stages.startStage(services, context, params.stage_id),
  );
}
