import { requestToken } from '@calculaud/contract/identity';
import type { Router } from '../platform/http.ts';
import { Problem } from '../platform/problem.ts';
import { RateLimit } from '../platform/rate-limit.ts';
import type { Services } from '../platform/services.ts';
import { relayToken } from './token-relay.ts';

const TIMEOUT_MS = 30_000;
/** Per address. A browser asks once an hour; many of them may share the address of their office. */
const REQUESTS_PER_MINUTE = 30;
/** RFC 6749, 5.1: tokens are kept by nobody on the way. */
const headers = { 'cache-control': 'no-store', pragma: 'no-cache' };

export function identityRoutes(router: Router, { config }: Services): void {
  const limit = new RateLimit(REQUESTS_PER_MINUTE, 60_000);
  router.handle(requestToken, async ({ body }, { log, signal }, request) => {
    const endpoint = config.auth.tokenEndpointUrl;
    if (endpoint === undefined) {
      throw new Problem(
        'no_identity_provider',
        404,
        'This server has no identity provider to get tokens from: API tokens are sent as they are',
      );
    }
    limit.take(request.ip);
    const { status, json } = await relayToken(body, { endpoint, timeoutMs: TIMEOUT_MS, log, signal });
    return { json, status, headers };
  });
}
