import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyBaseLogger, FastifyRequest } from 'fastify';
import { permits, type Role } from '@calculaud/contract/permissions';
import type { Principal } from '../platform/context.ts';
import { ExpiringCache, type Loaded } from '../platform/expiring-cache.ts';
import { Problem } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import { hashOf, isApiToken, parseApiToken } from './api-token.ts';
import { assertLocal } from './bypass.ts';
import { PersonTokens } from './person-tokens.ts';
import { findToken, noteUse, savePrincipal } from './queries.ts';
import { invalidToken, notAuthenticated } from './refusals.ts';
import { personOf, roleOf } from './rules.ts';
import { type KeyTiming, keyTiming } from './signing-keys.ts';

/** Every server process forgets within this time, so a revoked API token works for at most 5 s anywhere. */
const API_TOKEN_LIFETIME_MS = 3_000;
/** A person's token stays valid until it expires: only the provider's key could be withdrawn. */
const PERSON_LIFETIME_MS = 60_000;
/** About 500 bytes each. */
const CAPACITY = 10_000;

export type Authenticate = (request: FastifyRequest) => Promise<Principal>;

/**
 * Finds out who sends a request, by its bearer token: an API token of ours or a token of the identity provider.
 * What was found out is remembered for a short while under the hash of the token, so that most requests cost neither
 * a signature check nor a statement.
 */
export function createAuthenticator({ config, db }: Services, timing: KeyTiming = keyTiming): Authenticate {
  const known = new ExpiringCache<Principal>(CAPACITY);
  const { auth } = config;
  const personTokens = auth.oidc && new PersonTokens(auth.oidc, timing);

  async function localAdministrator(): Promise<Loaded<Principal>> {
    const name = 'Local administrator';
    const id = await savePrincipal(db, { kind: 'system', subject: 'bypass', name, email: null });
    return { value: principal(id, name, 'admin'), lifetimeMs: PERSON_LIFETIME_MS };
  }

  async function holderOf(token: string, log: FastifyBaseLogger): Promise<Loaded<Principal>> {
    const parts = parseApiToken(token);
    const stored = parts && (await findToken(db, parts.id));
    if (!parts || !stored || !timingSafeEqual(stored.secret_hash, hashOf(parts.secret))) {
      throw invalidToken('The API token is unknown');
    }
    if (stored.revoked || stored.expired) {
      throw invalidToken(`The API token ${stored.revoked ? 'was revoked' : 'has expired'}`);
    }
    if (stored.use_is_due) {
      // Nobody waits for it: a request must not fail, or be slow, because its use could not be written down.
      noteUse(db, parts.id).catch((error: unknown) => {
        log.warn({ err: error }, 'the use of an API token could not be written down');
      });
    }
    return {
      value: principal(stored.principal_id, stored.name, stored.role),
      lifetimeMs: API_TOKEN_LIFETIME_MS,
    };
  }

  async function personWith(token: string, log: FastifyBaseLogger): Promise<Loaded<Principal>> {
    if (!personTokens) {
      throw invalidToken('This server accepts its own API tokens only');
    }
    const { claims, remainingMs } = await personTokens.verify(token, log);
    const role = roleOf(claims, auth);
    if (!role) {
      throw new Problem('forbidden', 403, 'Your account has no role in this system');
    }
    const person = personOf(claims);
    if (!person) {
      throw invalidToken('The subject of the token (sub) cannot be used');
    }
    const id = await savePrincipal(db, { kind: 'person', ...person });
    return {
      value: principal(id, person.name, role),
      lifetimeMs: Math.min(PERSON_LIFETIME_MS, remainingMs),
    };
  }

  return async (request) => {
    if (auth.bypass) {
      assertLocal(request);
      return known.lookUp('bypass', localAdministrator);
    }
    const token = bearerToken(request.headers.authorization);
    if (token === undefined) {
      throw notAuthenticated();
    }
    const load = isApiToken(token) ? holderOf : personWith;
    return known.lookUp(createHash('sha256').update(token).digest('base64'), () => load(token, request.log));
  };
}

function principal(id: number, name: string, role: Role): Principal {
  return { id, name, permits: (permission) => permits(role, permission) };
}

/** The scheme counts in any case; another scheme is no token. */
function bearerToken(header: string | undefined): string | undefined {
  return /^bearer +([\w.~+/=-]+) *$/i.exec(header ?? '')?.[1];
}
