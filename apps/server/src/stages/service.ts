import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { actor, type RequestContext } from '../platform/context.ts';
import { assertUnchanged } from '../platform/etag.ts';
import { notFound, Problem } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import * as queries from './queries.ts';

interface VersionedJson {
  readonly json: string;
  readonly version: number;
}

export async function getStage({ db }: Services, id: number): Promise<VersionedJson> {
  const stage = await queries.getStage(db, id);
  if (!stage) {
    throw notFound('Stage', id);
  }
  return stage;
}

export async function updateStage(
  services: Services,
  context: RequestContext,
  id: number,
  values: queries.StageValues,
): Promise<VersionedJson> {
  await transaction(services.db, actor(context), async (tx) => {
    const { takes_value, type_name } = await lock(tx, context, id);
    if (values.value != null && !takes_value) {
      throw new Problem(
        'value_not_allowed',
        400,
        `Values are not allowed on stages of the type '${type_name}'`,
      );
    }
    await queries.updateStage(tx, id, values);
  });
  return getStage(services, id);
}

export async function startStage(
  services: Services,
  context: RequestContext,
  id: number,
): Promise<VersionedJson> {
  await transaction(services.db, actor(context), async (tx) => {
    await lock(tx, context, id);
    await queries.startStage(tx, id);
  });
  return getStage(services, id);
}

/** Locks the purpose, so that nobody else edits below it, and checks the version of the stage. */
async function lock(tx: Executor, context: RequestContext, id: number) {
  await queries.lockPurposeOf(tx, id);
  const state = await queries.stateOf(tx, id);
  if (!state) {
    throw notFound('Stage', id);
  }
  assertUnchanged(context.ifMatch, state.version);
  return state;
}
