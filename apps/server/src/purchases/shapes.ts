import { type RawBuilder, sql } from 'kysely';
import { budgetSourceJson } from '../catalog/shapes.ts';
import { stageColumns } from '../stages/shapes.ts';

/**
 * The purchases that `matches` selects (a condition on row `p`), one row each: `id`, `purpose_id`, `version`, `json`
 * (contract 2.2 and 3.8). The statement's WITH list needs `nestedCatalogue`.
 *
 * A group of one is taken out of its array by subscript: `json -> 0` would parse the text again.
 */
export function purchaseRows(matches: RawBuilder<unknown>, today: string): RawBuilder<unknown> {
  return sql`
    select p.id, p.purpose_id, p.version, row_to_json(member) as json
    from purchase p
    left join budget_source b on b.id = p.budget_source_id
    left join authority_json authority on authority.id = p.pending_authority_id
    left join lateral (${chain(today)}) chain on true,
    lateral (
      select p.id, p.purpose_id, p.budget_source_id, utc_iso(p.creation_date) as creation_date,
        (select coalesce(json_agg(c), '[]') from (
          select id, purchase_id, currency, amount from cost where purchase_id = p.id order by id) c) as costs,
        case when b.id is not null then ${budgetSourceJson('b')} end as budget_source,
        authority.json as pending_authority,
        coalesce(chain.levels, '[]') as flow_stages,
        coalesce(chain.current_level, '[]') as current_pending_stages,
        ${today}::date - p.waiting_since as days_since_last_completion
    ) member
    where ${matches}`;
}

/** The stages of purchase `p` by level, and the pending ones of the current level. */
function chain(today: string): RawBuilder<unknown> {
  return sql`
    select json_agg(level.json order by level.priority) as levels,
      (array_agg(level.pending) filter (where level.priority = p.current_priority))[1] as current_level
    from (
      select s.priority,
        case when count(*) = 1 then (array_agg(s.json))[1] else json_agg(s.json order by s.id) end as json,
        json_agg(s.json order by s.id) filter (where s.is_pending and s.priority = p.current_priority) as pending
      from (
        select stage.id, stage.priority, stage.completion_date is null as is_pending, row_to_json(member) as json
        from stage join stage_type_json on stage_type_json.id = stage.stage_type_id,
          lateral (select ${stageColumns('stage', 'stage_type_json', today)}) member
        where stage.purchase_id = p.id
      ) s
      group by s.priority
    ) level`;
}
