import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';
import { nestedCatalogue } from '../catalog/shapes.ts';
import type { FlowDecision } from '../flow-rules/service.ts';
import { jsonArray, withMembers } from '../platform/sql.ts';
import type { Chain, ExistingStage, TemplateStage } from './rules.ts';
import { pendingAuthorities, purchaseRows } from './shapes.ts';

export async function getPurchase(
  db: Executor,
  id: number,
  today: string,
): Promise<{ json: string; version: number } | undefined> {
  const { rows } = await sql<{ json: string; version: number }>`/* purchases.get */
    with ${nestedCatalogue}
    select ${withMembers('json', { pending_authorities: pendingAuthorities(sql`p.id = ${id}`) })} as json, version
    from (${purchaseRows(sql`p.id = ${id}`, today)}) purchase`.execute(db);
  return rows[0];
}

/** The purpose, and what the flow rules want to know about it. */
export interface LockedPurpose {
  readonly id: number;
  readonly service_type_id: number | null;
  readonly hierarchy_id: number | null;
}

export async function lockPurpose(db: Executor, id: number): Promise<LockedPurpose | undefined> {
  const { rows } = await sql<LockedPurpose>`/* purchases.lock-purpose */
    select id, service_type_id, hierarchy_id from purpose where id = ${id} for no key update`.execute(db);
  return rows[0];
}

/** Locks the purpose of the purchase: whoever edits below a purpose does, so that edits come one after the other. */
export async function lockPurposeOf(db: Executor, purchaseId: number): Promise<LockedPurpose | undefined> {
  const { rows } = await sql<LockedPurpose>`/* purchases.lock-purpose-of */
    select id, service_type_id, hierarchy_id from purpose
    where id = (select purpose_id from purchase where id = ${purchaseId}) for no key update`.execute(db);
  return rows[0];
}

/** To be called under the lock of the purpose; a statement of its own, so that it sees what others did before. */
export async function versionOf(db: Executor, id: number): Promise<number | undefined> {
  const { rows } = await sql<{ version: number }>`/* purchases.version */
    select version from purchase where id = ${id}`.execute(db);
  return rows[0]?.version;
}

export interface CostLine {
  readonly currency: string;
  /** Exact, as text. */
  readonly amount: string;
}

/** Adds the purchase with its costs, the stages of the flow and the decision for it, in one statement. */
export async function insertPurchase(
  db: Executor,
  values: {
    readonly purpose_id: number;
    readonly budget_source_id: number | null;
    readonly costs: readonly CostLine[];
    readonly decision: FlowDecision;
  },
): Promise<number> {
  const { purpose_id, budget_source_id, costs, decision } = values;
  const { rows } = await sql<{ id: number }>`/* purchases.insert */
    with added as (
      insert into purchase (purpose_id, budget_source_id, predefined_flow_id)
      values (${purpose_id}, ${budget_source_id}, ${decision.flow_id}) returning id
    ), added_costs as (
      insert into cost (purchase_id, currency, amount)
      select added.id, line.currency, line.amount
      from added, unnest(${costs.map((line) => line.currency)}::text[], ${costs.map((line) => line.amount)}::numeric[])
        with ordinality as line (currency, amount, position)
      order by position
    ), added_stages as (
      insert into stage (purchase_id, stage_type_id, priority)
      select added.id, template.stage_type_id, template.priority
      from added, predefined_flow_stage template where template.predefined_flow_id = ${decision.flow_id}
      order by template.priority, template.id
    ), added_decision as (
      insert into flow_decision (purchase_id, rule_id, rule_name, flow_id, flow_name, reason, facts)
      select added.id, ${decision.rule_id}, ${decision.rule_name}, ${decision.flow_id}, ${decision.flow_name},
        ${decision.reason}, ${JSON.stringify(decision.facts)}::jsonb
      from added
    )
    select id from added`.execute(db);
  const [inserted] = rows;
  if (!inserted) {
    throw new Error('insert into purchase returned no row');
  }
  return inserted.id;
}

export async function insertDecision(
  db: Executor,
  purchaseId: number,
  decision: FlowDecision,
): Promise<void> {
  await sql`/* purchases.insert-decision */
    insert into flow_decision (purchase_id, rule_id, rule_name, flow_id, flow_name, reason, facts)
    values (${purchaseId}, ${decision.rule_id}, ${decision.rule_name}, ${decision.flow_id}, ${decision.flow_name},
      ${decision.reason}, ${JSON.stringify(decision.facts)}::jsonb)`.execute(db);
}

/** Raises the versions of the purchase and its purpose, unless this transaction has done so already. */
export async function touchPurchase(db: Executor, id: number): Promise<void> {
  await sql`/* purchases.touch */ select touch_purchases(array[${id}::integer])`.execute(db);
}

export async function setBudgetSource(
  db: Executor,
  id: number,
  budgetSourceId: number | null,
): Promise<void> {
  await sql`/* purchases.set-budget-source */
    update purchase set budget_source_id = ${budgetSourceId} where id = ${id}`.execute(db);
}

export async function setFlow(db: Executor, id: number, flowId: number | null): Promise<void> {
  await sql`/* purchases.set-flow */
    update purchase set predefined_flow_id = ${flowId} where id = ${id}`.execute(db);
}

export async function deletePurchase(db: Executor, id: number): Promise<void> {
  await sql`/* purchases.delete */ delete from purchase where id = ${id}`.execute(db);
}

/** What an edit of the chain refers to, as far as it exists. */
export interface ChainReferences {
  readonly stages: readonly number[];
  readonly types: readonly number[];
  /** The type of custom stages; null before the first one. */
  readonly custom: number | null;
}

export async function chainReferences(
  db: Executor,
  purchaseId: number,
  types: readonly number[],
): Promise<ChainReferences> {
  const { rows } = await sql<ChainReferences>`/* purchases.chain-references */
    select array(select id from stage where purchase_id = ${purchaseId}) as stages,
      array(select id from stage_type where id = any(${types}::integer[])) as types,
      (select id from stage_type where name = 'custom') as custom`.execute(db);
  return rows[0] ?? { stages: [], types: [], custom: null };
}

/** Makes the type of custom stages, or finds it when somebody else was faster. */
export async function ensureCustomType(db: Executor): Promise<number> {
  await sql`/* purchases.ensure-custom-type */
    insert into stage_type (name, display_name, value_required, is_optional)
    values ('custom', 'Custom', false, true) on conflict (name) do nothing`.execute(db);
  const { rows } = await sql<{ id: number }>`/* purchases.custom-type */
    select id from stage_type where name = 'custom'`.execute(db);
  const [custom] = rows;
  if (!custom) {
    throw new Error('there is no stage type custom though it was just made');
  }
  return custom.id;
}

/** Brings the stages of the purchase to the chain, in one statement; `customType` stands for a new stage without a type. */
export async function applyChain(
  db: Executor,
  purchaseId: number,
  { keep, add }: Chain,
  customType: number | null,
): Promise<void> {
  const ids = keep.map((stage) => stage.id);
  await sql`/* purchases.apply-chain */
    with removed as (
      delete from stage where purchase_id = ${purchaseId} and id <> all(${ids}::integer[])
    ), moved as (
      update stage set priority = place.priority
      from unnest(${ids}::integer[], ${keep.map((stage) => stage.priority)}::integer[]) as place (id, priority)
      where stage.id = place.id and stage.priority <> place.priority
    )
    insert into stage (purchase_id, stage_type_id, priority, custom_name, note)
    select ${purchaseId}, coalesce(added.stage_type_id, ${customType}), added.priority, added.custom_name, added.note
    from unnest(${add.map((stage) => stage.stage_type_id ?? null)}::integer[],
      ${add.map((stage) => stage.priority)}::integer[], ${add.map((stage) => stage.custom_name)}::text[],
      ${add.map((stage) => stage.note)}::text[])
      with ordinality as added (stage_type_id, priority, custom_name, note, position)
    order by added.position`.execute(db);
}

export interface CostEdit {
  readonly id: number | null;
  readonly currency: string;
  readonly amount: string;
}

export interface StoredCost extends CostLine {
  readonly id: number;
}

export async function costsOf(db: Executor, purchaseId: number): Promise<readonly StoredCost[]> {
  const { rows } = await sql<StoredCost>`/* purchases.costs */
    select id, currency, amount from cost where purchase_id = ${purchaseId} order by id`.execute(db);
  return rows;
}

/** The lines with an id change, those without are added, the rest go: in one statement. */
export async function replaceCosts(
  db: Executor,
  purchaseId: number,
  lines: readonly CostEdit[],
): Promise<void> {
  await sql`/* purchases.replace-costs */
    with line as (
      select * from unnest(${lines.map((line) => line.id)}::integer[], ${lines.map((line) => line.currency)}::text[],
        ${lines.map((line) => line.amount)}::numeric[]) with ordinality as line (id, currency, amount, position)
    ), removed as (
      delete from cost where purchase_id = ${purchaseId}
        and not exists (select from line where line.id = cost.id)
    ), changed as (
      update cost set currency = line.currency, amount = line.amount
      from line where cost.id = line.id and (cost.currency, cost.amount) is distinct from (line.currency, line.amount)
    )
    insert into cost (purchase_id, currency, amount)
    select ${purchaseId}, currency, amount from line where id is null order by position`.execute(db);
}

/** What a choice of another flow starts from. */
export async function stagesOf(db: Executor, purchaseId: number): Promise<readonly ExistingStage[]> {
  const { rows } = await sql<ExistingStage>`/* purchases.stages */
    select id, stage_type_id, priority, completion_date is not null as completed
    from stage where purchase_id = ${purchaseId} order by id`.execute(db);
  return rows;
}

export async function templateOf(db: Executor, flowId: number | null): Promise<readonly TemplateStage[]> {
  const { rows } = await sql<TemplateStage>`/* purchases.template */
    select stage_type_id, priority from predefined_flow_stage
    where predefined_flow_id = ${flowId} order by priority, id`.execute(db);
  return rows;
}

/** The stages of a chain that is not yet applied, and those that would go: JSON texts. */
export async function chainJson(
  db: Executor,
  purchaseId: number,
  { keep, add }: Chain,
): Promise<{ stages: string; removed: string }> {
  const ids = keep.map((stage) => stage.id);
  const planned = sql`
    select json_build_object('id', planned.id, 'priority', planned.priority, 'completion_date', s.completion_date,
      'custom_name', s.custom_name, 'stage_type', t.json) as json
    from (
      select id, null::integer as stage_type_id, priority
      from unnest(${ids}::integer[], ${keep.map((stage) => stage.priority)}::integer[]) as kept (id, priority)
      union all
      select null, stage_type_id, priority
      from unnest(${add.map((stage) => stage.stage_type_id ?? null)}::integer[],
        ${add.map((stage) => stage.priority)}::integer[]) as added (stage_type_id, priority)
    ) planned
    left join stage s on s.id = planned.id
    join stage_type_json t on t.id = coalesce(s.stage_type_id, planned.stage_type_id)
    order by planned.priority, planned.id nulls last, t.id`;
  const removed = sql`
    select json_build_object('id', s.id, 'priority', s.priority, 'completion_date', s.completion_date,
      'custom_name', s.custom_name, 'stage_type', t.json) as json
    from stage s join stage_type_json t on t.id = s.stage_type_id
    where s.purchase_id = ${purchaseId} and s.id <> all(${ids}::integer[]) order by s.priority, s.id`;
  const { rows } = await sql<{ stages: string; removed: string }>`/* purchases.chain-json */
    with ${nestedCatalogue} select ${jsonArray(planned)} as stages, ${jsonArray(removed)} as removed`.execute(
    db,
  );
  return rows[0] ?? { stages: '[]', removed: '[]' };
}

export async function flowDecisions(db: Executor, purchaseId: number): Promise<string | undefined> {
  const decisions = sql`
    select json_build_object('id', d.id, 'rule_id', d.rule_id, 'rule_name', d.rule_name, 'flow_id', d.flow_id,
      'flow_name', d.flow_name, 'reason', d.reason, 'facts', d.facts, 'decided_at', utc_iso(d.decided_at),
      'decided_by', principal.name) as json
    from flow_decision d left join principal on principal.id = d.decided_by
    where d.purchase_id = ${purchaseId} order by d.id desc`;
  const { rows } = await sql<{ json: string }>`/* purchases.flow-decisions */
    select ${jsonArray(decisions)} as json from purchase where id = ${purchaseId}`.execute(db);
  return rows[0]?.json;
}
