import * as contract from '@calculaud/contract/purchases';
import type { Router } from '../platform/http.ts';
import { idempotent } from '../platform/idempotency.ts';
import type { Services } from '../platform/services.ts';
import * as purchases from './service.ts';

export function purchasesRoutes(router: Router, services: Services): void {
  router.handle(
    contract.createPurchase,
    idempotent(services, contract.createPurchase, (within, { body }, context) =>
      purchases.createPurchase(within, context, body),
    ),
  );
  router.handle(contract.getPurchase, async ({ params }, context) =>
    purchases.getPurchase(services, context, params.purchase_id),
  );
  router.handle(contract.updatePurchase, async ({ params, body }, context) =>
    purchases.updatePurchase(services, context, params.purchase_id, body),
  );
  router.handle(contract.deletePurchase, async ({ params }, context) => {
    await purchases.deletePurchase(services, context, params.purchase_id);
    return undefined;
  });
  router.handle(contract.restorePurchase, async ({ params }, context) =>
    purchases.restorePurchase(services, context, params.purchase_id),
  );
  router.handle(contract.replaceCosts, async ({ params, body }, context) =>
    purchases.replaceCosts(services, context, params.purchase_id, body.costs),
  );
  router.handle(contract.chooseFlow, async ({ params, body }, context) =>
    purchases.rechooseFlow(services, context, params.purchase_id, body ?? { dry_run: false }),
  );
  router.handle(contract.listFlowDecisions, async ({ params }) => ({
    json: await purchases.flowDecisions(services, params.purchase_id),
  }));
}
