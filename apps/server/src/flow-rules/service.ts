import { BASE_CURRENCY } from '@calculaud/contract/currencies';
import type { FlowConditions } from '@calculaud/contract/flow-rules';
import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { refuseUnknown } from '../currencies/service.ts';
import { actor, type RequestContext } from '../platform/context.ts';
import { envelope, pageOf } from '../platform/paging.ts';
import { notFound, Problem } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import * as queries from './queries.ts';
import { type Choice, chooseRule, type CostLine, type Facts, factsOf } from './rules.ts';

/** What a choice is about. */
export interface Subject {
  readonly costs: readonly CostLine[];
  readonly service_type_id: number | null;
  readonly hierarchy_id: number | null;
  /** The day whose exchange rates count. */
  readonly date: string;
}

/** A choice as it is stored with the purchase. */
export interface FlowDecision {
  readonly rule_id: number | null;
  readonly rule_name: string | null;
  /** Null: no flow, so no stages. */
  readonly flow_id: number | null;
  readonly flow_name: string | null;
  readonly reason: string;
  readonly facts: Facts;
}

/** Lets the rules choose; a Problem 409 when they cannot. */
export async function chooseFlow(
  db: Executor,
  subject: Subject,
  { newCosts }: { readonly newCosts: boolean },
): Promise<FlowDecision> {
  const { choice, facts } = await choose(db, subject, newCosts);
  const { rule } = choice;
  if (rule && rule.flow_name !== null && rule.flow_id === null) {
    throw new Problem(
      'flow_missing',
      409,
      `The flow rule '${rule.name}' needs the predefined flow '${rule.flow_name}', which does not exist`,
    );
  }
  return {
    rule_id: rule?.id ?? null,
    rule_name: rule?.name ?? null,
    flow_id: rule?.flow_id ?? null,
    flow_name: rule?.flow_name ?? null,
    reason: choice.reason,
    facts,
  };
}

/** What the rules would choose and why, as JSON. */
export async function previewFlow({ db }: Services, subject: Subject): Promise<string> {
  const { choice, facts } = await choose(db, subject, true);
  const { rule } = choice;
  const flow = rule && rule.flow_id !== null ? await queries.getFlow(db, rule.flow_id) : undefined;
  const missing = rule && rule.flow_name !== null && flow === undefined;
  const tried = choice.tried.map((trial) => ({
    rule_id: trial.rule.id,
    name: trial.rule.name,
    matches: trial.rule === rule,
    checks: trial.checks,
  }));
  const chosen = rule && (await queries.getRule(db, rule.id));
  const reason = missing
    ? `${choice.reason}. There is no predefined flow '${rule.flow_name}'`
    : choice.reason;
  return `{"rule":${chosen ?? 'null'},"flow":${flow ?? 'null'},"reason":${JSON.stringify(reason)},"facts":${JSON.stringify(facts)},"tried":${JSON.stringify(tried)}}`;
}

async function choose(
  db: Executor,
  subject: Subject,
  newCosts: boolean,
): Promise<{ choice: Choice; facts: Facts }> {
  const { costs, service_type_id, hierarchy_id, date } = subject;
  const { rules, currencies, rates, hierarchy_path } = await queries.surroundings(db, {
    hierarchy_id,
    base: BASE_CURRENCY,
    date,
  });
  if (newCosts) {
    refuseUnknown(
      costs,
      currencies.filter(({ is_active }) => is_active).map(({ code }) => code),
    );
  }
  const isoCodes = new Map(currencies.map(({ code, iso_code }) => [code, iso_code]));
  const facts = factsOf({
    date,
    costs,
    isoCodes,
    base: BASE_CURRENCY,
    rates,
    service_type_id,
    hierarchy_id,
    hierarchy_path,
  });
  const choice = chooseRule(rules, facts);
  if (choice.undecided) {
    throw new Problem(
      'rate_missing',
      409,
      `The flow rule '${choice.undecided.name}' compares amounts in ${facts.base}, and there is no exchange rate from ${facts.missing_rates.join(', ')} to ${facts.base} on ${facts.date}`,
    );
  }
  return { choice, facts };
}

export async function listRules(
  { db, config }: Services,
  query: { readonly page: number; readonly limit?: number | undefined },
): Promise<Buffer> {
  const page = pageOf(query, config.paging);
  const { items, total } = await queries.listRules(db, page);
  return envelope(items, total, page);
}

export async function getRule({ db }: Services<Executor>, id: number): Promise<string> {
  const json = await queries.getRule(db, id);
  if (json === undefined) {
    throw notFound('Flow rule', id);
  }
  return json;
}

export async function createRule(
  services: Services,
  context: RequestContext,
  body: {
    readonly name: string;
    readonly is_active: boolean;
    readonly conditions: FlowConditions;
    readonly flow_name: string | null;
    readonly position?: number | undefined;
  },
): Promise<string> {
  const { position, ...values } = body;
  return transaction(services.db, actor(context), async (tx) => {
    await queries.lockRules(tx);
    await assertReferences(tx, values);
    const inserted = await queries.insertRule(tx, values);
    if (position !== undefined) {
      await queries.moveRule(tx, inserted, position);
    }
    return getRule({ ...services, db: tx }, inserted);
  });
}

export async function updateRule(
  services: Services,
  context: RequestContext,
  id: number,
  body: queries.RuleValues & { readonly position?: number | undefined },
): Promise<string> {
  const { position, ...values } = body;
  return transaction(services.db, actor(context), async (tx) => {
    await queries.lockRules(tx);
    await assertReferences(tx, values);
    if (!(await queries.updateRule(tx, id, values))) {
      throw notFound('Flow rule', id);
    }
    if (position !== undefined) {
      await queries.moveRule(tx, id, position);
    }
    return getRule({ ...services, db: tx }, id);
  });
}

export async function deleteRule({ db }: Services, context: RequestContext, id: number): Promise<void> {
  await transaction(db, actor(context), async (tx) => {
    await queries.lockRules(tx);
    if (!(await queries.deleteRule(tx, id))) {
      throw notFound('Flow rule', id);
    }
  });
}

async function assertReferences(db: Executor, { conditions, flow_name }: queries.RuleValues): Promise<void> {
  const [unknown] = await queries.unknownReferences(db, {
    flow_name,
    currencies: [...(conditions?.currencies?.only ?? []), ...(conditions?.currencies?.all ?? [])],
    service_types: conditions?.service_type_ids ?? [],
    hierarchies: conditions?.hierarchy_ids ?? [],
  });
  if (unknown !== undefined) {
    throw new Problem('unknown_reference', 400, `${unknown} not found`);
  }
}
