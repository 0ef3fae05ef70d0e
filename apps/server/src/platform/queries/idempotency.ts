import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';

/** How long a key protects a request from being carried out again. */
const LIFETIME = '24 hours';

export interface KeyOwner {
  readonly principal_id: number;
  readonly key: string;
}

/**
 * Claims the key for this transaction; false when an earlier request has it. Waits for a request with the same key that
 * is still at work, and claims it when that comes to nothing.
 */
export async function claimKey(tx: Executor, owner: KeyOwner, requestHash: string): Promise<boolean> {
  const { rows } = await sql`/* idempotency.claim */
    insert into idempotency_key as known (principal_id, key, request_hash)
    values (${owner.principal_id}, ${owner.key}, ${requestHash})
    on conflict (principal_id, key) do update
      set request_hash = excluded.request_hash, body = null, version = null, created_at = now()
      where known.created_at < now() - interval '${sql.raw(LIFETIME)}'
    returning 1`.execute(tx);
  return rows.length > 0;
}

export interface EarlierAnswer {
  readonly request_hash: string;
  readonly body: string;
  readonly version: number | null;
}

export async function earlierAnswer(tx: Executor, owner: KeyOwner): Promise<EarlierAnswer | undefined> {
  const { rows } = await sql<EarlierAnswer>`/* idempotency.find */
    select request_hash, body, version from idempotency_key
    where principal_id = ${owner.principal_id} and key = ${owner.key}`.execute(tx);
  return rows[0];
}

export async function storeAnswer(
  tx: Executor,
  owner: KeyOwner,
  answer: { readonly json: string; readonly version?: number | undefined },
): Promise<void> {
  await sql`/* idempotency.store */
    update idempotency_key
    set body = ${answer.json}, version = ${answer.version ?? null}
    where principal_id = ${owner.principal_id} and key = ${owner.key}`.execute(tx);
}

export async function deleteExpiredKeys(db: Executor): Promise<number> {
  const { numAffectedRows } = await sql`/* idempotency.expire */
    delete from idempotency_key where created_at < now() - interval '${sql.raw(LIFETIME)}'`.execute(db);
  return Number(numAffectedRows ?? 0n);
}
