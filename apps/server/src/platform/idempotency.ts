import { createHash } from 'node:crypto';
import type { Endpoint, Input } from '@calculaud/contract/endpoint';
import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { actor, type RequestContext } from './context.ts';
import type { Handler } from './http.ts';
import type { Job } from './jobs.ts';
import { Problem } from './problem.ts';
import * as queries from './queries/idempotency.ts';
import type { Services } from './services.ts';

/**
 * Lets clients repeat a request that makes something: with the same `Idempotency-Key` it is carried out once, and every
 * repetition gets the first answer. All of it happens in one transaction, so that the work and its answer are stored
 * together or not at all, whenever the server dies; a repetition that comes while the first is at work waits for it.
 * A request that fails is not remembered. `work` must do everything through the services that it is given.
 */
export function idempotent<E extends Endpoint>(
  services: Services,
  endpoint: E,
  work: (
    services: Services<Executor>,
    input: Input<E>,
    context: RequestContext,
  ) => Promise<{ readonly json: string | Buffer; readonly version?: number }>,
): Handler<E> {
  return async (input, context, request) => {
    const key = request.headers['idempotency-key'];
    if (key === undefined) {
      return work(services, input, context);
    }
    const owner = { principal_id: context.principal.id, key: validKey(key) };
    const hash = createHash('sha256')
      .update(JSON.stringify([endpoint.id, input]))
      .digest('base64url');
    return transaction(services.db, actor(context), async (tx) => {
      if (await queries.claimKey(tx, owner, hash)) {
        const answer = await work({ ...services, db: tx }, input, context);
        await queries.storeAnswer(tx, owner, { ...answer, json: answer.json.toString() });
        return answer;
      }
      const earlier = await queries.earlierAnswer(tx, owner);
      if (!earlier || earlier.request_hash !== hash) {
        throw new Problem(
          'idempotency_key_used',
          409,
          'This Idempotency-Key came with another request before: use a new key for each thing you want done',
        );
      }
      return { json: earlier.body, ...(earlier.version === null ? {} : { version: earlier.version }) };
    });
  };
}

function validKey(key: string | string[]): string {
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Problem(
      'idempotency_key_malformed',
      400,
      'The Idempotency-Key must be 1 to 255 printable characters without blanks',
    );
  }
  return key;
}

export const idempotencyJobs: readonly Job[] = [
  {
    name: 'idempotency.expire',
    schedule: '35 * * * *',
    async run({ db }, { log }) {
      log.debug({ keys: await queries.deleteExpiredKeys(db) }, 'expired idempotency keys removed');
    },
  },
];
