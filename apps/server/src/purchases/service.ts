import type { StageEdit } from '@calculaud/contract/purchases';
import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { bringBack, findDeletion, hasPendingStages, purposeOfPurchase } from '../audit/service.ts';
import { assertUsable } from '../currencies/service.ts';
import { chooseFlow } from '../flow-rules/service.ts';
import { translateConstraints } from '../platform/constraints.ts';
import { actor, type RequestContext } from '../platform/context.ts';
import { assertUnchanged } from '../platform/etag.ts';
import { notFound, Problem, unknownReference } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import { assertTakesPendingStages } from '../purposes/service.ts';
import * as queries from './queries.ts';
import { type Chain, editedChain, rechosenChain } from './rules.ts';

interface VersionedJson {
  readonly json: string;
  readonly version: number;
}

export async function getPurchase(
  { db }: Services<Executor>,
  { today }: RequestContext,
  id: number,
): Promise<VersionedJson> {
  const purchase = await queries.getPurchase(db, id, today);
  if (!purchase) {
    throw notFound('Purchase', id);
  }
  return purchase;
}

export async function createPurchase(
  services: Services<Executor>,
  context: RequestContext,
  body: {
    readonly purpose_id: number;
    readonly budget_source_id?: number | null | undefined;
    readonly costs: readonly { readonly currency: string; readonly amount: number }[];
  },
): Promise<VersionedJson> {
  const { purpose_id, budget_source_id = null } = body;
  const costs = body.costs.map(({ currency, amount }) => ({ currency, amount: String(amount) }));
  return translateConstraints(referencesOf(body), () =>
    transaction(services.db, actor(context), async (tx) => {
      const purpose = await queries.lockPurpose(tx, purpose_id);
      const subject = { costs, ...(purpose ?? nowhere), date: context.today };
      // Before the purpose is judged: a wrong currency is malformed input, and that comes first.
      const decision = await chooseFlow(tx, subject, { newCosts: true });
      if (!purpose) {
        throw unknownReference('Purpose', purpose_id);
      }
      if (decision.flow_id !== null) {
        await assertTakesPendingStages(services, tx, purpose_id);
      }
      const id = await queries.insertPurchase(tx, { purpose_id, budget_source_id, costs, decision });
      return getPurchase({ ...services, db: tx }, context, id);
    }),
  );
}

const nowhere = { service_type_id: null, hierarchy_id: null };

export async function updatePurchase(
  services: Services,
  context: RequestContext,
  id: number,
  body: {
    readonly budget_source_id?: number | null | undefined;
    readonly stages?: readonly (readonly StageEdit[])[] | null | undefined;
  },
): Promise<VersionedJson> {
  const { budget_source_id, stages } = body;
  return translateConstraints(referencesOf(body), () =>
    transaction(services.db, actor(context), async (tx) => {
      const purpose = await lock(tx, context, id);
      if (budget_source_id !== undefined) {
        await queries.setBudgetSource(tx, id, budget_source_id);
      }
      if (stages) {
        const chain = editedChain(stages);
        await assertTakes(services, tx, purpose.id, chain);
        await editStages(tx, id, chain);
      }
      // Even an edit that changes nothing touches, as in v1.
      if (budget_source_id !== undefined || stages !== undefined) {
        await queries.touchPurchase(tx, id);
      }
      return getPurchase({ ...services, db: tx }, context, id);
    }),
  );
}

async function assertTakes(
  services: Services,
  tx: Executor,
  purposeId: number,
  { add }: Chain,
): Promise<void> {
  if (add.length > 0) {
    await assertTakesPendingStages(services, tx, purposeId);
  }
}

async function editStages(tx: Executor, id: number, chain: Chain): Promise<void> {
  const types = chain.add.flatMap((stage) => stage.stage_type_id ?? []);
  const known = await queries.chainReferences(tx, id, types);
  const strange = chain.keep.find((stage) => !known.stages.includes(stage.id));
  if (strange) {
    throw new Problem(
      'unknown_reference',
      400,
      `Stage with ID ${strange.id} not found in purchase with ID ${id}`,
    );
  }
  const unknown = types.find((type) => !known.types.includes(type));
  if (unknown !== undefined) {
    throw unknownReference('Stage type', unknown);
  }
  const needsCustom = chain.add.some((stage) => stage.stage_type_id === undefined);
  const custom = needsCustom && known.custom === null ? await queries.ensureCustomType(tx) : known.custom;
  await queries.applyChain(tx, id, chain, custom);
}

export async function deletePurchase(services: Services, context: RequestContext, id: number): Promise<void> {
  await transaction(services.db, actor(context), async (tx) => {
    await lock(tx, context, id);
    await queries.deletePurchase(tx, id);
  });
}

export async function restorePurchase(
  services: Services,
  context: RequestContext,
  id: number,
): Promise<VersionedJson> {
  return transaction(services.db, actor(context), async (tx) => {
    const deletion = await findDeletion(tx, 'purchase', id);
    const purposeId = await purposeOfPurchase(tx, deletion);
    if (!(await queries.lockPurpose(tx, purposeId))) {
      throw new Problem(
        'reference_gone',
        409,
        `Purchase with ID ${id} cannot be restored: its purpose with ID ${purposeId} is deleted. Restore that first`,
      );
    }
    if (await hasPendingStages(tx, deletion)) {
      await assertTakesPendingStages(services, tx, purposeId);
    }
    await bringBack(tx, deletion);
    return getPurchase({ ...services, db: tx }, context, id);
  });
}

export async function replaceCosts(
  services: Services,
  context: RequestContext,
  id: number,
  lines: readonly {
    readonly id?: number | null | undefined;
    readonly currency: string;
    readonly amount: number;
  }[],
): Promise<VersionedJson> {
  const edits = lines.map((line) => ({
    id: line.id ?? null,
    currency: line.currency,
    amount: String(line.amount),
  }));
  return transaction(services.db, actor(context), async (tx) => {
    await lock(tx, context, id);
    const existing = await queries.costsOf(tx, id);
    assertOwnCosts(id, edits, existing);
    await assertUsable(tx, edits, existing);
    await queries.replaceCosts(tx, id, edits);
    await queries.touchPurchase(tx, id);
    return getPurchase({ ...services, db: tx }, context, id);
  });
}

function assertOwnCosts(
  purchaseId: number,
  edits: readonly queries.CostEdit[],
  existing: readonly queries.StoredCost[],
): void {
  const seen = new Set<number>();
  for (const { id } of edits) {
    if (id === null) {
      continue;
    }
    if (!existing.some((cost) => cost.id === id)) {
      throw new Problem(
        'unknown_reference',
        400,
        `Cost with ID ${id} not found in purchase with ID ${purchaseId}`,
      );
    }
    if (seen.has(id)) {
      throw new Problem('cost_twice', 400, `Cost with ID ${id} is named twice`);
    }
    seen.add(id);
  }
}

/** Chooses the flow again by the rules as they are now. Answers what changes, or would change. */
export async function rechooseFlow(
  services: Services,
  context: RequestContext,
  id: number,
  { dry_run, date = context.today }: { readonly dry_run: boolean; readonly date?: string | undefined },
): Promise<VersionedJson> {
  return translateConstraints(referencesOf({}), () =>
    transaction(services.db, actor(context), async (tx) => {
      const purpose = await lock(tx, context, id);
      const costs = await queries.costsOf(tx, id);
      const decision = await chooseFlow(tx, { costs, ...purpose, date }, { newCosts: false });
      const chain = rechosenChain(
        await queries.stagesOf(tx, id),
        await queries.templateOf(tx, decision.flow_id),
      );
      await assertTakes(services, tx, purpose.id, chain);
      const { stages, removed } = await queries.chainJson(tx, id, chain);
      if (!dry_run) {
        await queries.setFlow(tx, id, decision.flow_id);
        await queries.applyChain(tx, id, chain, null);
        await queries.insertDecision(tx, id, decision);
        await queries.touchPurchase(tx, id);
      }
      const choice = JSON.stringify({ ...decision, dry_run });
      return {
        json: `${choice.slice(0, -1)},"stages":${stages},"removed":${removed}}`,
        version: (await queries.versionOf(tx, id)) ?? 0,
      };
    }),
  );
}

export async function flowDecisions({ db }: Services, id: number): Promise<string> {
  const decisions = await queries.flowDecisions(db, id);
  if (decisions === undefined) {
    throw notFound('Purchase', id);
  }
  return decisions;
}

/** Locks the purpose, so that nobody else edits below it, and checks the version of the purchase. */
async function lock(tx: Executor, context: RequestContext, id: number): Promise<queries.LockedPurpose> {
  const purpose = await queries.lockPurposeOf(tx, id);
  const version = purpose && (await queries.versionOf(tx, id));
  if (!purpose || version === undefined) {
    throw notFound('Purchase', id);
  }
  assertUnchanged(context.ifMatch, version);
  return purpose;
}

function referencesOf({ budget_source_id }: { readonly budget_source_id?: number | null | undefined }) {
  return {
    purchase_budget_source_id_fkey: () => unknownReference('Budget source', budget_source_id ?? 0),
    purchase_predefined_flow_id_fkey: () =>
      new Problem('flow_missing', 409, 'The predefined flow was deleted a moment ago'),
    stage_stage_type_id_fkey: () =>
      new Problem('unknown_reference', 400, 'Stage type not found: it was deleted a moment ago'),
  };
}
