import { createHmac, timingSafeEqual } from 'node:crypto';
import type { RequestContext } from '../platform/context.ts';
import type { Services } from '../platform/services.ts';
import type { FileLinks } from './shapes.ts';
import { signingSecretOf } from './signing-secret.ts';

/** Links keep their text for so long, so that browsers and caches recognise the file. */
const BUCKET_SECONDS = 300;

export function fileLinks(
  { config }: Pick<Services, 'config'>,
  context: Pick<RequestContext, 'baseUrl'>,
): FileLinks {
  const earliest = Date.now() / 1000 + config.files.signedUrlTtlSeconds;
  const expires = Math.ceil(earliest / BUCKET_SECONDS) * BUCKET_SECONDS;
  return {
    baseUrl: context.baseUrl,
    prefix: config.http.prefix,
    expires,
    key: linkKey(signingSecretOf(config), expires),
  };
}

/** Whether the link was signed by us for this file and has not expired. */
export function isValidLink(
  { config }: Pick<Services, 'config'>,
  link: { readonly id: number; readonly expires: number; readonly signature: string },
): boolean {
  const expected = sign(linkKey(signingSecretOf(config), link.expires), link.id);
  const given = Buffer.from(link.signature);
  return (
    given.length === expected.length && timingSafeEqual(given, expected) && link.expires > Date.now() / 1000
  );
}

function linkKey(secret: string, expires: number): string {
  return createHmac('sha256', secret).update(`files:${expires}`).digest('hex');
}

/** The same as the SQL of `fileAttachmentJson`. */
function sign(key: string, id: number): Buffer {
  return Buffer.from(createHmac('sha256', key).update(String(id)).digest('hex'));
}
