import { sql } from 'kysely';
import type { FlowConditions } from '@calculaud/contract/flow-rules';
import type { Executor } from '@calculaud/db/database';
import { nestedCatalogue } from '../catalog/shapes.ts';
import { predefinedFlowJson } from '../flows/shapes.ts';
import type { Page } from '../platform/paging.ts';
import { jsonArray } from '../platform/sql.ts';
import type { Rate, Rule } from './rules.ts';
import { flowRuleJson, flowRuleTables } from './shapes.ts';

/** All that a choice depends on beside the costs, as it is now. */
export interface Surroundings {
  /** The active ones, in order. */
  readonly rules: readonly Rule[];
  readonly currencies: readonly { code: string; iso_code: string; is_active: boolean }[];
  /** Of each currency the rate into the base that holds on the day. */
  readonly rates: readonly Rate[];
  /** The node and all above it. */
  readonly hierarchy_path: readonly number[];
}

export async function surroundings(
  db: Executor,
  given: { readonly hierarchy_id: number | null; readonly base: string; readonly date: string },
): Promise<Surroundings> {
  const { rows } = await sql<Surroundings>`/* flow-rules.surroundings */
    select
      (select coalesce(json_agg(json_build_object('id', r.id, 'name', r.name, 'conditions', r.conditions,
        'flow_name', r.flow_name, 'flow_id', f.id) order by r.position), '[]')
        from ${flowRuleTables} where r.is_active) as rules,
      (select coalesce(json_agg(json_build_object('code', code, 'iso_code', iso_code, 'is_active', is_active)
        order by position, id), '[]') from currency) as currencies,
      (select coalesce(json_agg(json_build_object('id', id, 'currency', currency, 'rate', rate::text,
        'valid_from', valid_from)), '[]')
        from (
          select distinct on (currency) id, currency, rate, valid_from from exchange_rate
          where base = ${given.base} and valid_from <= ${given.date}::date order by currency, valid_from desc
        ) latest) as rates,
      array(
        with recursive above as (
          select id, parent_id from hierarchy where id = ${given.hierarchy_id}
          union all
          select h.id, h.parent_id from above join hierarchy h on h.id = above.parent_id
        ) select id from above) as hierarchy_path`.execute(db);
  const [found] = rows;
  if (!found) {
    throw new Error('the surroundings of a choice came without a row');
  }
  return found;
}

export async function listRules(db: Executor, page: Page): Promise<{ items: string; total: number }> {
  const rules = sql`select ${flowRuleJson} as json from ${flowRuleTables}
    order by r.position limit ${page.limit} offset ${page.offset}`;
  const { rows } = await sql<{ items: string; total: number }>`/* flow-rules.list */
    select ${jsonArray(rules)} as items, (select count(*)::integer from flow_rule) as total`.execute(db);
  return rows[0] ?? { items: '[]', total: 0 };
}

export async function getRule(db: Executor, id: number): Promise<string | undefined> {
  const { rows } = await sql<{ json: string }>`/* flow-rules.get */
    select ${flowRuleJson}::text as json from ${flowRuleTables} where r.id = ${id}`.execute(db);
  return rows[0]?.json;
}

/** A flow as the API shows it, with its stages. */
export async function getFlow(db: Executor, id: number): Promise<string | undefined> {
  const { rows } = await sql<{ json: string }>`/* flow-rules.flow */
    with ${nestedCatalogue} select ${predefinedFlowJson}::text as json from predefined_flow f where f.id = ${id}`.execute(
    db,
  );
  return rows[0]?.json;
}

/** Lets one writer at a time number the rules; choices go on meanwhile. */
export async function lockRules(db: Executor): Promise<void> {
  await sql`/* flow-rules.lock */ lock table flow_rule in share row exclusive mode`.execute(db);
}

export interface RuleValues {
  readonly name?: string | undefined;
  readonly is_active?: boolean | undefined;
  readonly conditions?: FlowConditions | undefined;
  readonly flow_name?: string | null | undefined;
}

/** Adds the rule behind the last one. */
export async function insertRule(
  db: Executor,
  values: Required<{ [Name in keyof RuleValues]: Exclude<RuleValues[Name], undefined> }>,
): Promise<number> {
  const { rows } = await sql<{ id: number }>`/* flow-rules.insert */
    insert into flow_rule (position, name, is_active, conditions, flow_name)
    select coalesce(max(position), 0) + 1, ${values.name}, ${values.is_active},
      ${JSON.stringify(values.conditions)}::jsonb, ${values.flow_name} from flow_rule
    returning id`.execute(db);
  const [inserted] = rows;
  if (!inserted) {
    throw new Error('insert into flow_rule returned no row');
  }
  return inserted.id;
}

/** Changes the given columns; false when there is no such rule. */
export async function updateRule(db: Executor, id: number, values: RuleValues): Promise<boolean> {
  const assignments = [
    ...(values.name === undefined ? [] : [sql`name = ${values.name}`]),
    ...(values.is_active === undefined ? [] : [sql`is_active = ${values.is_active}`]),
    ...(values.conditions === undefined
      ? []
      : [sql`conditions = ${JSON.stringify(values.conditions)}::jsonb`]),
    ...(values.flow_name === undefined ? [] : [sql`flow_name = ${values.flow_name}`]),
  ];
  if (assignments.length === 0) {
    const { rows } = await sql`/* flow-rules.exists */ select from flow_rule where id = ${id}`.execute(db);
    return rows.length > 0;
  }
  const { numAffectedRows } = await sql`/* flow-rules.update */
    update flow_rule set ${sql.join(assignments)} where id = ${id}`.execute(db);
  return numAffectedRows === 1n;
}

/** Moves the rule to the position and closes ranks: the positions are 1, 2, 3 … afterwards. */
export async function moveRule(db: Executor, id: number, position: number): Promise<void> {
  // Half a step before whoever stands there, or behind him when the rule comes from above.
  await sql`/* flow-rules.move */
    update flow_rule r set position = placed.position
    from (
      select id, row_number() over (order by
        case when id = ${id} then ${position} + case when position < ${position} then 0.5 else -0.5 end else position end)
        as position
      from flow_rule
    ) placed
    where placed.id = r.id and placed.position <> r.position`.execute(db);
}

export async function deleteRule(db: Executor, id: number): Promise<boolean> {
  const { rows } = await sql<{ position: number }>`/* flow-rules.delete */
    delete from flow_rule where id = ${id} returning position`.execute(db);
  const [deleted] = rows;
  if (!deleted) {
    return false;
  }
  await sql`/* flow-rules.close-ranks */
    update flow_rule set position = position - 1 where position > ${deleted.position}`.execute(db);
  return true;
}

/** What a rule refers to and does not exist. */
export async function unknownReferences(
  db: Executor,
  named: {
    readonly flow_name: string | null | undefined;
    readonly currencies: readonly string[];
    readonly service_types: readonly number[];
    readonly hierarchies: readonly number[];
  },
): Promise<readonly string[]> {
  const { rows } = await sql<{ text: string }>`/* flow-rules.unknown */
    select 'Predefined flow with name ''' || name || '''' as text
    from (values (${named.flow_name ?? null}::text)) given (name)
    where name is not null and not exists (select from predefined_flow where flow_name = name)
    union all
    select 'Currency ' || code from unnest(${named.currencies}::text[]) code
    where not exists (select from currency c where c.code = code.code)
    union all
    select 'Service type with ID ' || id from unnest(${named.service_types}::integer[]) id
    where not exists (select from service_type t where t.id = id.id)
    union all
    select 'Hierarchy with ID ' || id from unnest(${named.hierarchies}::integer[]) id
    where not exists (select from hierarchy h where h.id = id.id)`.execute(db);
  return rows.map((row) => row.text);
}
