import * as contract from '@calculaud/contract/purposes';
import type { Router } from '../platform/http.ts';
import { idempotent } from '../platform/idempotency.ts';
import type { Services } from '../platform/services.ts';
import { exportPurposes } from './export.ts';
import { KeptJson } from './kept-json.ts';
import * as purposes from './service.ts';

export function purposesRoutes(router: Router, services: Services): void {
  const kept = new KeptJson();
  router.handle(contract.listPurposes, async ({ query }, context) => ({
    json: await purposes.listPurposes(services, context, query, kept),
  }));
  router.handle(contract.summarizePurposes, async ({ query }, context) => ({
    json: await purposes.summarizePurposes(services, context, query),
  }));
  router.handle(contract.exportPurposes, async ({ query }, context) =>
    exportPurposes(services, context, query),
  );
  router.handle(contract.getPurpose, async ({ params }, context) =>
    purposes.getPurpose(services, context, params.purpose_id),
  );
  router.handle(
    contract.createPurpose,
    idempotent(services, contract.createPurpose, (within, { body }, context) =>
      purposes.createPurpose(within, context, body),
    ),
  );
  router.handle(contract.updatePurpose, async ({ params, body }, context) =>
    purposes.updatePurpose(services, context, params.purpose_id, body),
  );
  router.handle(contract.deletePurpose, async ({ params, query }, context) => {
    await purposes.deletePurpose(services, context, {
      id: params.purpose_id,
      deleteFiles: query.delete_files,
    });
    return undefined;
  });
  router.handle(contract.deletedPurposes, async ({ query }) => ({
    json: await purposes.listDeleted(services, query),
  }));
  router.handle(contract.restorePurpose, async ({ params }, context) =>
    purposes.restorePurpose(services, context, params.purpose_id),
  );
  router.handle(contract.purposeStatusHistory, async ({ params }) => ({
    json: await purposes.statusHistory(services, params.purpose_id),
  }));
}
