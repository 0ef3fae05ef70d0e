import * as contract from '@calculaud/contract/files';
import type { Router } from '../platform/http.ts';
import type { Services } from '../platform/services.ts';
import { openContent } from './content.ts';
import * as files from './service.ts';

export function filesRoutes(router: Router, services: Services): void {
  router.handle(contract.listFiles, async ({ query }, context) => ({
    json: await files.listFiles(services, context, query),
  }));
  router.handle(contract.uploadFile, async (_input, context, request) => ({
    json: await files.uploadFile(services, context, request),
  }));
  router.handle(contract.getFile, async ({ params }, context) => ({
    json: await files.getDownload(services, context, params.file_id),
  }));
  router.handle(contract.deleteFile, async ({ params }, context) => {
    await files.deleteFile(services, context, params.file_id);
    return undefined;
  });
  router.handle(contract.fileContent, async ({ params, query }, context, { headers }) =>
    openContent(services, context, params.file_id, {
      ...query,
      range: headers.range,
      ifRange: typeof headers['if-range'] === 'string' ? headers['if-range'] : undefined,
    }),
  );
  router.handle(contract.attachFile, async ({ params }, context, request) => ({
    json: await files.uploadFile(services, context, request, params.purpose_id),
  }));
  router.handle(contract.detachFile, async ({ params, query }, context) => {
    await files.detachFile(services, context, {
      purposeId: params.purpose_id,
      fileId: params.file_id,
      onlyHere: query.only_here,
    });
    return undefined;
  });
}
