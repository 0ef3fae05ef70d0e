import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { actor, type RequestContext } from '../platform/context.ts';
import { assertUnchanged } from '../platform/etag.ts';
import { notFound, Problem } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import { assertTakesPendingStages } from '../purposes/service.ts';
import * as queries from './queries.ts';
import { assertHasValue, assertInOrder, isSameCompletion } from './rules.ts';

interface VersionedJson {
  readonly json: string;
  readonly version: number;
}

export async function getStage({ db }: Services<Executor>, id: number): Promise<VersionedJson> {
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
  return transaction(services.db, actor(context), async (tx) => {
    const stage = await lock(tx, context, id);
    if (values.value != null && !stage.takes_value) {
      throw new Problem(
        'value_not_allowed',
        400,
        `Values are not allowed on stages of the type '${stage.type_name}'`,
      );
    }
    await assertRules(services, tx, context, stage, values);
    await queries.updateStage(tx, id, values);
    return getStage({ ...services, db: tx }, id);
  });
}

export async function startStage(
  services: Services,
  context: RequestContext,
  id: number,
): Promise<VersionedJson> {
  return transaction(services.db, actor(context), async (tx) => {
    await lock(tx, context, id);
    await queries.startStage(tx, id);
    return getStage({ ...services, db: tx }, id);
  });
}

/** The stricter rules judge what an edit changes: what was there before they were chosen can still get a note. */
async function assertRules(
  services: Services,
  tx: Executor,
  { today }: RequestContext,
  stage: queries.StageState,
  { value = stage.value, completion_date = stage.completion_date }: queries.StageValues,
): Promise<void> {
  const { rules } = services.config.organisation;
  const after = { value, completion_date };
  if (rules.has('value-required') && stage.takes_value && !isSameCompletion(stage, after)) {
    assertHasValue(stage.type_name, after);
  }
  if (completion_date === stage.completion_date) {
    return;
  }
  if (rules.has('stage-order')) {
    assertInOrder(stage, completion_date, await queries.chainOf(tx, stage.purchase_id), today);
  }
  if (completion_date === null) {
    await assertTakesPendingStages(services, tx, stage.purpose_id);
  }
}

/** Locks the purpose, so that nobody else edits below it, and checks the version of the stage. */
async function lock(tx: Executor, context: RequestContext, id: number): Promise<queries.StageState> {
  await queries.lockPurposeOf(tx, id);
  const state = await queries.stateOf(tx, id);
  if (!state) {
    throw notFound('Stage', id);
  }
  assertUnchanged(context.ifMatch, state.version);
  return state;
}
