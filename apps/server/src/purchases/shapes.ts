import { type RawBuilder, sql } from 'kysely';
import { budgetSourceJson } from '../catalog/shapes.ts';
import type { Value } from '../platform/sql.ts';
import { stageColumns } from '../stages/shapes.ts';

/**
 * The purchases that `matches` selects (a condition on row `p`), one row each: `id`, `purpose_id`, `version`, `json`
 * (contract 2.2 and 3.8; JSON as text). The statement's WITH list needs `nestedCatalogue`.
 *
 * The stages are most of every answer, so their text is put together by string_agg over rows that come in order and
 * appended to the rest: aggregating them as `json`, level by level, took 7.0 ms for a page of 770 stages, this 5.6 ms.
 */
export function purchaseRows(matches: RawBuilder<unknown>, today: Value<string>): RawBuilder<unknown> {
  return sql`
    select p.id, p.purpose_id, p.version,
      left(row_to_json(member)::text, -1)
        || ',"flow_stages":[' || coalesce(chain.levels, '')
        || '],"current_pending_stages":[' || coalesce(chain.current_level, '') || ']}' as json
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
        ${today}::date - p.waiting_since as days_since_last_completion
    ) member
    where ${matches}`;
}

/**
 * Whom the current stages of the purchases that `matches` selects (a condition on row `p`) wait for, each authority once.
 * The statement's WITH list needs `nestedCatalogue`.
 */
export function pendingAuthorities(matches: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`(
    select coalesce(json_agg(a.json order by a.id), '[]') from authority_json a
    where a.id in (
      select t.responsible_authority_id
      from purchase p
      join stage s on s.purchase_id = p.id and s.priority = p.current_priority and s.completion_date is null
      join stage_type t on t.id = s.stage_type_id
      where ${matches}))`;
}

/**
 * The stages of purchase `p` as the inside of a JSON array: by priority, those that share one in an array of their own.
 * And the pending ones of the current level.
 */
function chain(today: Value<string>): RawBuilder<unknown> {
  return sql`
    select
      string_agg(case
        when s.of_level = 1 then s.json
        when s.in_level = 1 then '[' || s.json
        when s.in_level = s.of_level then s.json || ']'
        else s.json end, ',' order by s.priority, s.id) as levels,
      string_agg(s.json, ',' order by s.priority, s.id) filter (where s.is_current) as current_level
    from (
      select stage.id, stage.priority, row_to_json(member)::text as json,
        stage.completion_date is null and stage.priority = p.current_priority as is_current,
        count(*) over (partition by stage.priority) as of_level,
        row_number() over (partition by stage.priority order by stage.id) as in_level
      from stage join stage_type_json on stage_type_json.id = stage.stage_type_id,
        lateral (select ${stageColumns('stage', 'stage_type_json', today)}) member
      where stage.purchase_id = p.id
    ) s`;
}
