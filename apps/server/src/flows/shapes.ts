import { type RawBuilder, sql } from 'kysely';

/**
 * The JSON of the predefined_flow row `f` (contract 2.2), its stages grouped by priority. The statement's WITH list
 * needs `nestedCatalogue`.
 */
export const predefinedFlowJson: RawBuilder<unknown> = sql`
  json_build_object('id', f.id, 'flow_name', f.flow_name, 'created_at', utc_iso(f.created_at), 'flow_stages', (
    select coalesce(json_agg(level.json order by level.priority), '[]')
    from (
      select s.priority, case when count(*) = 1 then (array_agg(s.json))[1] else json_agg(s.json order by s.id) end as json
      from (
        select s.id, s.priority, json_build_object('id', s.id, 'predefined_flow_id', s.predefined_flow_id,
          'stage_type_id', s.stage_type_id, 'priority', s.priority, 'stage_type', t.json) as json
        from predefined_flow_stage s join stage_type_json t on t.id = s.stage_type_id
        where s.predefined_flow_id = f.id
      ) s
      group by s.priority
    ) level))`;

/** The same flow as an edit takes it: the names of its stage types. */
export const predefinedFlowEditJson: RawBuilder<unknown> = sql`
  json_build_object('id', f.id, 'flow_name', f.flow_name, 'created_at', utc_iso(f.created_at), 'stages', (
    select coalesce(json_agg(level.json order by level.priority), '[]')
    from (
      select s.priority,
        case when count(*) = 1 then to_json(min(t.name)) else json_agg(t.name order by s.id) end as json
      from predefined_flow_stage s join stage_type t on t.id = s.stage_type_id
      where s.predefined_flow_id = f.id
      group by s.priority
    ) level))`;
