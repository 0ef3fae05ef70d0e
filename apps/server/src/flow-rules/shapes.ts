import { type RawBuilder, sql } from 'kysely';

/** The JSON of the flow_rule row `r` and the flow `f` of its name, if there is one. */
export const flowRuleJson: RawBuilder<unknown> = sql`
  json_build_object('id', r.id, 'position', r.position, 'name', r.name, 'is_active', r.is_active,
    'conditions', r.conditions, 'flow_name', r.flow_name, 'flow_id', f.id)`;

export const flowRuleTables: RawBuilder<unknown> = sql`
  flow_rule r left join predefined_flow f on f.flow_name = r.flow_name`;
