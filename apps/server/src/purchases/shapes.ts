import { type RawBuilder, sql } from 'kysely';
import { budgetSourceJson } from '../catalog/shapes.ts';
import { daysSincePreviousStage, stageJson } from '../stages/shapes.ts';

/**
 * The purchases that `matches` selects (a condition on row `p`), one row each: `id`, `purpose_id`, `version`, `json`
 * (contract 2.2 and 3.8). The statement's WITH list needs `nestedCatalogue`.
 *
 * A group of one is taken out of its array by subscript: `json -> 0` would parse the text again.
 */
export function purchaseRows(matches: RawBuilder<unknown>, today: string): RawBuilder<unknown> {
  return sql`
    select p.id, p.purpose_id, p.version, json_build_object('id', p.id, 'purpose_id', p.purpose_id,
      'budget_source_id', p.budget_source_id, 'creation_date', utc_iso(p.creation_date),
      'costs', (select coalesce(json_agg(json_build_object('id', c.id, 'purchase_id', c.purchase_id,
        'currency', c.currency, 'amount', c.amount) order by c.id), '[]') from cost c where c.purchase_id = p.id),
      'budget_source', case when b.id is not null then ${budgetSourceJson('b')} end,
      'pending_authority', authority.json,
      'flow_stages', coalesce(chain.levels, '[]'),
      'current_pending_stages', coalesce(chain.current_level, '[]'),
      'days_since_last_completion', ${today}::date - p.waiting_since) as json
    from purchase p
    left join budget_source b on b.id = p.budget_source_id
    left join authority_json authority on authority.id = p.pending_authority_id
    left join lateral (
      select json_agg(level.json order by level.priority) as levels,
        (array_agg(level.pending) filter (where level.priority = p.current_priority))[1] as current_level
      from (
        select s.priority,
          case when count(*) = 1 then (array_agg(s.json))[1] else json_agg(s.json order by s.id) end as json,
          json_agg(s.json order by s.id) filter (where s.is_pending) as pending
        from (
          select stage.id, stage.priority, stage.completion_date is null as is_pending,
            ${stageJson('stage', 'stage_type_json', daysSincePreviousStage('stage', today))} as json
          from stage join stage_type_json on stage_type_json.id = stage.stage_type_id
          where stage.purchase_id = p.id
        ) s
        group by s.priority
      ) level
    ) chain on true
    where ${matches}`;
}
