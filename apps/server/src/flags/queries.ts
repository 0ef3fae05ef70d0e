import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';

/**
 * Flags the purposes that a purchase holds up for longer than a current stage's type allows, and takes the flag from
 * those that it flagged before and that move again. A flag that a person took away stays away until a stage has
 * become ready since. Purposes that somebody is editing at this moment are left to the next run.
 */
export async function updateFlags(
  db: Executor,
  today: string,
  defaultDays: number,
): Promise<{ flagged: number; unflagged: number }> {
  const { rows } = await sql<{ flagged: number; unflagged: number }>`/* flags.update */
    with stuck as (
      select p.purpose_id, p.id as purchase_id, s.stage_type_id, s.ready_at,
        ${today}::date - p.waiting_since as days, coalesce(t.auto_flag_days, ${defaultDays}::integer) as allowed_days
      from purpose o
      join purchase p on p.purpose_id = o.id
      join stage s on s.purchase_id = p.id and s.priority = p.current_priority and s.completion_date is null
      join stage_type t on t.id = s.stage_type_id
      where o.status <> 'COMPLETED'
        and ${today}::date - p.waiting_since > coalesce(t.auto_flag_days, ${defaultDays}::integer)
    ), change as (
      select * from (
        select distinct on (o.id) o.id, true as flag, stuck.ready_at, json_build_object(
          'purchase_id', stuck.purchase_id, 'stage_type_id', stuck.stage_type_id,
          'days', stuck.days, 'allowed_days', stuck.allowed_days)::jsonb as reason
        from stuck join purpose o on o.id = stuck.purpose_id
        where not o.is_flagged and (o.flag_cleared_at is null or stuck.ready_at > o.flag_cleared_at)
        order by o.id, stuck.days - stuck.allowed_days desc, stuck.purchase_id, stuck.stage_type_id
      ) to_flag
      union all
      select o.id, false, null, null
      from purpose o
      where o.is_flagged and o.auto_flagged_at is not null
        and not exists (select from stuck where stuck.purpose_id = o.id)
    ), locked as (
      select id from purpose where id in (select id from change) order by id for no key update skip locked
    ), changed as (
      -- Looked at again on the locked row, which may be newer than what was seen above.
      update purpose o
      set is_flagged = c.flag, auto_flagged_at = case when c.flag then now() end, auto_flag_reason = c.reason
      from change c join locked using (id)
      where o.id = c.id and case
        when c.flag then not o.is_flagged and (o.flag_cleared_at is null or c.ready_at > o.flag_cleared_at)
        else o.is_flagged and o.auto_flagged_at is not null
      end
      returning c.flag
    )
    select count(*) filter (where flag)::integer as flagged, count(*) filter (where not flag)::integer as unflagged
    from changed`.execute(db);
  return rows[0] ?? { flagged: 0, unflagged: 0 };
}
