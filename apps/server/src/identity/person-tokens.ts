import type { FastifyBaseLogger } from 'fastify';
import { errors, jwtVerify } from 'jose';
import type { Config } from '@calculaud/config/config';
import { invalidToken, providerUnavailable } from './refusals.ts';
import { audienceRefusal, type Claims } from './rules.ts';
import { KeysUnavailable, type KeyTiming, SigningKeys } from './signing-keys.ts';

/** Clocks of two machines differ. */
const LEEWAY_SECONDS = 30;

/** What is wrong with a token, by the error code of the verification. None of it tells how we are set up. */
const REASONS: Readonly<Record<string, string>> = {
  ERR_JWT_EXPIRED: 'The token has expired',
  ERR_JOSE_ALG_NOT_ALLOWED: 'The token is signed with an algorithm that is not accepted',
  ERR_JWKS_NO_MATCHING_KEY: 'The token is signed with a key that the identity provider does not publish',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'The token does not name its key (kid)',
  ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'The signature of the token is wrong',
};
const CLAIM_REASONS: Readonly<Record<string, string>> = {
  iss: 'The token comes from another issuer (iss)',
  exp: 'The token has no usable expiry (exp)',
  nbf: 'The token is not valid yet (nbf)',
};

export interface VerifiedToken {
  readonly claims: Claims;
  /** How long it may still be accepted. */
  readonly remainingMs: number;
}

/** Checks the bearer tokens of the identity provider (contract 4.1). */
export class PersonTokens {
  readonly #oidc: NonNullable<Config['auth']['oidc']>;
  readonly #keys: SigningKeys;
  readonly #retryAfterSeconds: number;

  constructor(oidc: NonNullable<Config['auth']['oidc']>, timing: KeyTiming) {
    this.#oidc = oidc;
    this.#keys = new SigningKeys(oidc.jwksUrl, timing);
    this.#retryAfterSeconds = Math.max(1, Math.ceil(timing.retryMs / 1000));
  }

  async verify(token: string, log: FastifyBaseLogger): Promise<VerifiedToken> {
    const { issuer, audience, algorithms } = this.#oidc;
    try {
      const { payload } = await jwtVerify(token, (header, jws) => this.#keys.find(header, jws, log), {
        issuer,
        algorithms: [...algorithms],
        requiredClaims: ['exp'],
        clockTolerance: LEEWAY_SECONDS,
      });
      const refusal = audienceRefusal(payload, audience);
      if (refusal !== undefined) {
        throw invalidToken(refusal);
      }
      const end = ((payload.exp ?? 0) + LEEWAY_SECONDS) * 1000;
      return { claims: payload, remainingMs: end - Date.now() };
    } catch (error) {
      if (error instanceof KeysUnavailable) {
        throw providerUnavailable(this.#retryAfterSeconds);
      }
      // These errors hold the claims: they are translated and never logged.
      throw error instanceof errors.JOSEError ? invalidToken(reasonOf(error)) : error;
    }
  }
}

function reasonOf(error: errors.JOSEError): string {
  const reason =
    error instanceof errors.JWTClaimValidationFailed ? CLAIM_REASONS[error.claim] : REASONS[error.code];
  return reason ?? 'The token is malformed';
}
