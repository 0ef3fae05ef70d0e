import type { Role } from '@calculaud/contract/permissions';
import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { notFound, Problem } from '../platform/problem.ts';
import { formatApiToken, hashOf, newSecret } from './api-token.ts';
import * as queries from './queries.ts';

export interface ApiTokenOptions {
  /** What or whom it is for; not necessarily unique, because a successor may be called the same. */
  readonly name: string;
  readonly role: Role;
  /** Left out: it works until it is revoked. */
  readonly expiresAt?: Date | undefined;
  /** The principal who creates it; left out: an operator at the command line. */
  readonly createdBy?: number | undefined;
}

export type ApiToken = queries.ListedToken;

/** Creates an API token. Its text is returned this once: only a hash of it is stored. */
export async function createApiToken(
  db: Executor,
  { name, role, expiresAt, createdBy }: ApiTokenOptions,
): Promise<{ readonly id: number; readonly token: string }> {
  const trimmed = name.trim();
  if (trimmed === '' || trimmed.length > 255) {
    throw new Problem('invalid_input', 422, 'The name of an API token has 1 to 255 characters');
  }
  // Written so that an invalid date is refused too.
  if (expiresAt && !(expiresAt.getTime() > Date.now())) {
    throw new Problem('invalid_input', 422, 'The expiry of an API token lies in the future');
  }
  const secret = newSecret();
  const id = await transaction(db, { principalId: createdBy ?? null, requestId: null }, (tx) =>
    queries.insertToken(tx, { name: trimmed, role, expiresAt, secretHash: hashOf(secret) }),
  );
  return { id, token: formatApiToken({ id, secret }) };
}

/** All API tokens that were ever created, by id. */
export async function listApiTokens(db: Executor): Promise<ApiToken[]> {
  return queries.listTokens(db);
}

/** From now on no server accepts the token, at the latest after the few seconds that it is remembered for. */
export async function revokeApiToken(db: Executor, id: number, revokedBy?: number): Promise<void> {
  await transaction(db, { principalId: revokedBy ?? null, requestId: null }, async (tx) => {
    if (!(await queries.revokeToken(tx, id))) {
      throw notFound('API token', id);
    }
  });
}

/** The id of a part of the system that acts by itself, such as a job; created on first use. */
export async function systemPrincipal(db: Executor, subject: string, name: string): Promise<number> {
  return queries.savePrincipal(db, { kind: 'system', subject, name, email: null });
}
