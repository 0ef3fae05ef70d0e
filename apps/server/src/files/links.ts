import { createHmac, timingSafeEqual } from 'node:crypto';
import type { RequestContext } from '../platform/context.ts';
import type { Services } from '../platform/services.ts';
import type { SignedLinks } from './shapes.ts';
import { signingSecretOf } from './signing-secret.ts';

/** Links keep their text for so long, so that browsers and caches recognise the file. */
const BUCKET_SECONDS = 300;

/** The links of the answer to this request. */
export function fileLinks(
  { config }: Pick<Services, 'config'>,
  context: Pick<RequestContext, 'baseUrl'>,
): SignedLinks {
  const earliest = Date.now() / 1000 + config.files.signedUrlTtlSeconds;
  const expires = Math.ceil(earliest / BUCKET_SECONDS) * BUCKET_SECONDS;
  return {
    beforeId: `${context.baseUrl}${config.http.prefix}/files/`,
    beforeSignature: `/content?expires=${expires}&signature=`,
    key: linkKey(signingSecretOf(config), String(expires)),
  };
}

/** For how many seconds the link still works; 0 when it has expired or was not signed by us for this file. */
export function validityOf(
  { config }: Pick<Services, 'config'>,
  id: number,
  {
    expires = '',
    signature = '',
  }: { readonly expires?: string | undefined; readonly signature?: string | undefined },
): number {
  // The same as the SQL of the shapes.
  const expected = createHmac('sha256', linkKey(signingSecretOf(config), expires))
    .update(String(id))
    .digest('hex');
  const [wanted, given] = [Buffer.from(expected), Buffer.from(signature)];
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return 0;
  return Math.max(0, Math.floor(Number(expires) - Date.now() / 1000));
}

function linkKey(secret: string, expires: string): string {
  return createHmac('sha256', secret).update(`files:${expires}`).digest('hex');
}
