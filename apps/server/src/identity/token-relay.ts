import type { FastifyBaseLogger } from 'fastify';
import { z } from 'zod';
import { integer } from '@calculaud/contract/input';
import { tokenFields, type tokenRequest } from '@calculaud/contract/identity';
import { Problem } from '../platform/problem.ts';
import { responseText } from '../platform/response-text.ts';

type TokenForm = z.infer<typeof tokenRequest>;

export interface RelayOptions {
  readonly endpoint: string;
  readonly timeoutMs: number;
  readonly log: FastifyBaseLogger;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

export interface ProviderAnswer {
  readonly status: number;
  readonly json: string;
}

const MAX_ANSWER_BYTES = 256 * 1024;

const known: ReadonlySet<string> = new Set(Object.keys(tokenFields.shape));

const words = z
  .string()
  .nullish()
  .transform((value) => value ?? null);

/** Every known member is there, null when the provider left it out; others stay as they are. */
const success = z.looseObject({
  access_token: words,
  token_type: words,
  // Some providers send it as text.
  expires_in: z
    .union([z.null(), integer()])
    .optional()
    .transform((value) => value ?? null),
  refresh_token: words,
  id_token: words,
  scope: words,
  error: words,
  error_description: words,
});
const failure = z.looseObject({});

/**
 * Passes a token request on to the identity provider, and what it answers back: tokens, or a refusal with its status,
 * so that a client can tell an expired refresh token from an outage. Neither the form nor the answer is ever logged.
 */
export async function relayToken(form: TokenForm, options: RelayOptions): Promise<ProviderAnswer> {
  const timeout = AbortSignal.timeout(options.timeoutMs);
  try {
    // Node's fetch checks the certificate of the provider; a redirect would carry the secrets elsewhere.
    const response = await fetch(options.endpoint, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
      body: encode(form),
      redirect: 'manual',
      signal: AbortSignal.any([timeout, options.signal]),
    });
    return understand(response.status, await responseText(response, MAX_ANSWER_BYTES), options.log);
  } catch (error) {
    if (error instanceof Problem) {
      throw error;
    }
    if (timeout.aborted) {
      throw new Problem('identity_provider_timeout', 408, 'The identity provider took too long to answer');
    }
    // When the client has gone, the provider is not to blame, and nobody reads the answer.
    if (!options.signal.aborted) {
      options.log.warn({ err: error }, 'the token endpoint of the identity provider cannot be reached');
    }
    throw providerFailed();
  }
}

/** As v1 read forms, a known field that is empty was not sent; everything else goes on unchanged. */
function encode(form: TokenForm): string {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(form)) {
    const values = typeof value === 'string' ? [value] : (value ?? []);
    for (const text of values) {
      if (text !== '' || !known.has(name)) {
        body.append(name, text);
      }
    }
  }
  return body.toString();
}

function understand(status: number, text: string, log: FastifyBaseLogger): ProviderAnswer {
  const refused = status >= 400 && status < 500;
  const parsed =
    status < 300 ? success.safeParse(parse(text)) : refused ? failure.safeParse(parse(text)) : undefined;
  if (!parsed?.success) {
    log.warn({ provider_status: status }, 'the identity provider gave an answer that cannot be passed on');
    throw providerFailed();
  }
  return { status: refused ? status : 200, json: JSON.stringify(parsed.data) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function providerFailed(): Problem {
  return new Problem('identity_provider_failed', 502, 'The identity provider did not give a usable answer');
}
