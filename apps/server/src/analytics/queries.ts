import { type RawBuilder, sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';
import { all } from '../platform/sql.ts';

export interface Filter {
  /** Calendar days of the organisation, both inclusive. */
  readonly start_date?: string | undefined;
  readonly end_date?: string | undefined;
  /** Of the purpose. */
  readonly service_type_id?: readonly number[] | undefined;
  readonly timeZone: string;
}

/**
 * One statement that makes the whole answer. Those with dates have a semicolon in their comment, so that they get no
 * name and are planned anew each time: the range decides the plan, and a plan for any range joins 100,000 purposes one
 * by one.
 */
async function answer(db: Executor, statement: RawBuilder<{ json: string }>): Promise<string> {
  const { rows } = await statement.execute(db);
  const [row] = rows;
  if (!row) {
    throw new Error('The statement of an analytics answer returned no row');
  }
  return row.json;
}

/** The rows of a subquery, each an object of its columns, as `{"data": [...]}`. */
function data(rows: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`select json_build_object('data', coalesce(json_agg(r), '[]'))::text as json from (${rows}) r`;
}

function ofServiceTypes(column: string, ids: readonly number[] | undefined): RawBuilder<unknown>[] {
  return ids ? [sql`${sql.ref(column)} = any(${ids}::integer[])`] : [];
}

/** The instant at which a day begins for the organisation. */
function startOf(day: string, plusDays: 0 | 1, timeZone: string): RawBuilder<unknown> {
  return sql`((${day}::date + ${sql.lit(plusDays)})::timestamp at time zone ${timeZone})`;
}

/** An instant lies on a day of the range, compared as instants so that an index serves. */
function within(column: string, { start_date, end_date, timeZone }: Filter): RawBuilder<unknown>[] {
  return [
    ...(start_date ? [sql`${sql.ref(column)} >= ${startOf(start_date, 0, timeZone)}`] : []),
    ...(end_date ? [sql`${sql.ref(column)} < ${startOf(end_date, 1, timeZone)}`] : []),
  ];
}

/** The comment that names a statement about what is live; without dates one plan serves all. */
function liveName(name: string, { start_date, end_date }: Filter): RawBuilder<unknown> {
  return sql.raw(`/* analytics.${name}${start_date || end_date ? ';' : ''} */`);
}

/** Live purposes `o` of the filter. */
function live(filter: Filter): RawBuilder<unknown>[] {
  return [
    sql`o.status <> 'COMPLETED'`,
    ...ofServiceTypes('o.service_type_id', filter.service_type_id),
    ...within('o.creation_time', filter),
  ];
}

/** A. */
export function serviceTypesDistribution(db: Executor, filter: Filter): Promise<string> {
  const matches = all([...live(filter), sql`o.service_type_id is not null`]);
  return answer(
    db,
    sql`${liveName('service-types', filter)} ${data(sql`
      select t.id, t.name, n.count
      from (select o.service_type_id, count(*) from purpose o where ${matches} group by o.service_type_id) n
      join service_type t on t.id = n.service_type_id
      order by n.count desc, t.name, t.id`)}`,
  );
}

/** B. */
export function statusesDistribution(db: Executor, filter: Filter): Promise<string> {
  const matches = all(live(filter));
  return answer(
    db,
    sql`${liveName('statuses', filter)} ${data(sql`
      select o.status, count(*) from purpose o where ${matches} group by o.status order by count(*) desc, o.status`)}`,
  );
}

/** C. */
export function pendingAuthoritiesDistribution(db: Executor, filter: Filter): Promise<string> {
  const matches = all(live(filter));
  return answer(
    db,
    sql`${liveName('pending-authorities', filter)} ${data(sql`
      select a.id as authority_id, coalesce(a.name, 'No Pending Authority') as authority_name, n.count
      from (
        select o.pending_authority_id, count(*) from purpose o where ${matches} group by o.pending_authority_id
      ) n left join responsible_authority a on a.id = n.pending_authority_id
      order by a.id is null, n.count desc, a.name, a.id`)}`,
  );
}

/** D. */
export function pendingStagesDistribution(db: Executor, filter: Filter): Promise<string> {
  const matches = all([
    sql`a.is_live and a.service_type_id is not null and a.waiting_stage_type_ids is not null`,
    ...ofServiceTypes('a.service_type_id', filter.service_type_id),
    ...within('a.created_at', filter),
  ]);
  return answer(
    db,
    sql`${liveName('pending-stages', filter)}
      with waiting as (
        select service_type_id, stage_type_id, count(*)
        from (
          select a.service_type_id, unnest(a.waiting_stage_type_ids) as stage_type_id
          from analytics_purchase a where ${matches}
        ) stage
        group by service_type_id, stage_type_id
      ) ${data(sql`
      select s.id as stage_type_id, s.name as stage_type_name, sum(w.count) as total_count,
        json_agg(json_build_object('service_type_id', t.id, 'service_type_name', t.name, 'count', w.count)
          order by t.name, t.id) as service_types
      from waiting w join stage_type s on s.id = w.stage_type_id join service_type t on t.id = w.service_type_id
      group by s.id order by s.id`)}`,
  );
}

/** E. Of several changes to the status the latest counts: that is, each purpose once. */
export function serviceTypesByStatus(db: Executor, status: string, filter: Filter): Promise<string> {
  const changed = all([sql`h.new_status = ${status}::purpose_status`, ...within('h.changed_at', filter)]);
  const matches = all([
    sql`o.service_type_id is not null`,
    sql`o.id in (select h.purpose_id from purpose_status_history h where ${changed})`,
    ...ofServiceTypes('o.service_type_id', filter.service_type_id),
  ]);
  return answer(
    db,
    sql`/* analytics.service-types-by-status; */
      select json_build_object('data', coalesce(json_agg(r), '[]'), 'total_count', coalesce(sum(r.count), 0),
        'target_status', ${status}::text)::text as json
      from (
        select t.id as service_type_id, t.name as service_type_name, n.count
        from (select o.service_type_id, count(*) from purpose o where ${matches} group by o.service_type_id) n
        join service_type t on t.id = n.service_type_id
        order by n.count desc, t.name, t.id
      ) r`,
  );
}

/** F. */
export function serviceQuantities(db: Executor, filter: Filter): Promise<string> {
  const conditions = [
    ...within('o.creation_time', filter),
    ...ofServiceTypes('o.service_type_id', filter.service_type_id),
  ];
  const matches =
    conditions.length === 0
      ? sql`true`
      : sql`c.purpose_id in (select o.id from purpose o where ${all(conditions)})`;
  return answer(
    db,
    sql`/* analytics.service-quantities; */
      with requested as (
        select c.service_id, sum(c.quantity) as quantity from purpose_content c where ${matches} group by c.service_id
      ) ${data(sql`
      select t.id as service_type_id, t.name as service_type_name, sum(q.quantity) as total_quantity,
        json_agg(json_build_object('service_id', s.id, 'service_name', s.name, 'quantity', q.quantity)
          order by q.quantity desc, s.name, s.id) as services
      from requested q join service s on s.id = q.service_id join service_type t on t.id = s.service_type_id
      group by t.id order by t.id`)}`,
  );
}

export interface Conversion {
  /** Shekels per dollar, where `dated` has none. */
  readonly rate: string;
  /** Each cost at the exchange rate of the day on which its purpose was created. */
  readonly dated: boolean;
}

/** G. */
export function costsByServiceType(db: Executor, filter: Filter, conversion: Conversion): Promise<string> {
  return costs(db, filter, conversion, 'service_type');
}

/** H. */
export function costsByBudgetSource(db: Executor, filter: Filter, conversion: Conversion): Promise<string> {
  return costs(db, filter, conversion, 'budget_source');
}

/** The table is that of the groups, and the stem of the names of their id and name. */
function costs(
  db: Executor,
  filter: Filter,
  { rate, dated }: Conversion,
  table: 'service_type' | 'budget_source',
): Promise<string> {
  const group = sql.ref(`a.${table}_id`);
  const matches = all([
    ...within('a.created_at', filter),
    ...ofServiceTypes('a.service_type_id', filter.service_type_id),
  ]);
  // Days are told apart only where they matter.
  const day = dated ? sql`, (a.created_at at time zone ${filter.timeZone})::date as day` : sql``;
  const byDay = dated ? sql`, day` : sql``;
  const usd = sql`coalesce(sum(amount) filter (where iso_code = 'USD'), 0)`;
  const ils = sql`coalesce(sum(amount) filter (where iso_code = 'ILS'), 0)`;
  const of = (currency: string) =>
    sql`coalesce(sum(amount) filter (where currency = ${sql.lit(currency)}), 0)::float8`;
  return answer(
    db,
    sql`/* analytics.costs; */
      with usual as (
        select ${group} as id${day}, sum(a.ils) as ils, sum(a.support_usd) as support_usd, sum(a.available_usd) as available_usd
        from analytics_purchase a where ${matches} group by ${group}${byDay}
      ), money as (
        select u.id${byDay}, m.*
        from usual u cross join lateral (values ('ILS', 'ILS', u.ils), ('SUPPORT_USD', 'USD', u.support_usd),
          ('AVAILABLE_USD', 'USD', u.available_usd)) m (currency, iso_code, amount)
        where m.amount is not null
        union all
        select ${group}${day}, c.currency, k.iso_code, sum(c.amount)
        from cost c join analytics_purchase a on a.purchase_id = c.purchase_id join currency k on k.code = c.currency
        where c.currency not in ('ILS', 'SUPPORT_USD', 'AVAILABLE_USD') and ${matches}
        group by ${group}${byDay}, c.currency, k.iso_code
      ), ${dated ? convertedByDay(rate) : sql``} total as (
        select id, ${dated ? sql`sum(in_usd)` : sql`${usd} + ${ils} / ${rate}::numeric`} as usd,
          ${dated ? sql`sum(in_ils)` : sql`${ils} + ${usd} * ${rate}::numeric`} as ils,
          ${of('ILS')} as own_ils, ${of('SUPPORT_USD')} as support_usd, ${of('AVAILABLE_USD')} as available_usd,
          coalesce(json_agg(json_build_object('currency', currency, 'amount', amount::float8) order by currency)
            filter (where currency not in ('ILS', 'SUPPORT_USD', 'AVAILABLE_USD')), '[]') as other
        from ${dated ? sql`converted` : sql`money`} group by id
      ) ${data(sql`
      select g.id as ${sql.ref(`${table}_id`)}, coalesce(g.name, 'Unknown') as ${sql.ref(`${table}_name`)},
        json_build_object('ils', t.own_ils, 'support_usd', t.support_usd, 'available_usd', t.available_usd,
          'total_usd', t.usd::float8, 'total_ils', t.ils::float8, 'other', t.other) as amounts
      from total t left join ${sql.table(table)} g on g.id = t.id
      order by g.id is null, t.ils desc, g.name, g.id`)}`,
  );
}

/** `converted`: the rows of `money` without their days, with what they were worth on them. The rate is looked up per day. */
function convertedByDay(rate: string): RawBuilder<unknown> {
  return sql`
    day_rate as (
      select d.day, coalesce((
        select e.rate from exchange_rate e
        where e.currency = 'USD' and e.base = 'ILS' and e.valid_from <= d.day order by e.valid_from desc limit 1
      ), ${rate}::numeric) as rate
      from (select distinct day from money) d
    ), converted as (
      select m.id, m.currency, m.iso_code, sum(m.amount) as amount,
        sum(case m.iso_code when 'USD' then m.amount when 'ILS' then m.amount / r.rate else 0 end) as in_usd,
        sum(case m.iso_code when 'USD' then m.amount * r.rate when 'ILS' then m.amount else 0 end) as in_ils
      from money m join day_rate r using (day) group by m.id, m.currency, m.iso_code
    ),`;
}

/** I. */
export function purposeProcessingTimes(
  db: Executor,
  filter: Filter,
  count: 'purchases' | 'purposes',
): Promise<string> {
  const matches = all([
    sql`a.closed_at is not null and a.form_completed_on is not null and a.service_type_id is not null`,
    ...within('a.closed_at', filter),
    ...ofServiceTypes('a.service_type_id', filter.service_type_id),
  ]);
  return answer(
    db,
    sql`/* analytics.purpose-processing-times; */
      with closed as (
        select service_type_id, count(*), sum(days) as days, min(days), max(days),
          count(distinct purpose_id) as purposes
        from (
          select a.service_type_id, a.purpose_id,
            (a.closed_at at time zone ${filter.timeZone})::date - a.form_completed_on as days
          from ${count === 'purposes' ? completedPurposes : sql`analytics_purchase`} a where ${matches}
        ) row
        ${count === 'purposes' ? sql`where days >= 0` : sql``}
        group by service_type_id
      )
      select json_build_object(
        'service_types', coalesce(json_agg(json_build_object('service_type_id', t.id, 'service_type_name', t.name,
          'count', c.count, 'average_processing_days', round(c.days::numeric / c.count, 2), 'min_processing_days', c.min,
          'max_processing_days', c.max) order by c.days::float8 / c.count desc, t.name, t.id), '[]'),
        'total_purposes', coalesce(sum(c.count), 0),
        'distinct_purposes', coalesce(sum(c.purposes), 0))::text as json
      from closed c join service_type t on t.id = c.service_type_id`,
  );
}

/** One row per purpose that is COMPLETED now, with the earliest form of its purchases. */
const completedPurposes = sql`(
  select purpose_id, service_type_id, closed_at, min(form_completed_on) as form_completed_on
  from analytics_purchase where not is_live group by purpose_id, service_type_id, closed_at)`;

/**
 * J. Months that lie in the range as a whole are counted already; the days before and after them are counted here. A
 * range without a whole month has only days before.
 */
export function stageProcessingTimes(
  db: Executor,
  filter: Filter,
  population: 'all' | 'same',
): Promise<string> {
  const { start_date, end_date, timeZone } = filter;
  const since = start_date ? startOf(start_date, 0, timeZone) : sql`'-infinity'::timestamptz`;
  const until = end_date ? startOf(end_date, 1, timeZone) : sql`'infinity'::timestamptz`;
  const shown = all([
    sql`c.service_type_id is not null`,
    ...ofServiceTypes('c.service_type_id', filter.service_type_id),
  ]);
  const bound = (name: string) => sql`(select ${sql.ref(name)} from months)`;
  const daysBetween = (from: string, to: string) => sql`
    select unnest(a.timed_stage_type_ids) as stage_type_id, a.service_type_id, unnest(a.timed_days) as days
    from analytics_purchase a where a.created_at >= ${bound(from)} and a.created_at < ${bound(to)}`;
  return answer(
    db,
    sql`/* analytics.stage-processing-times; */
      with range as (
        select ${since} as since, ${until} as until
      ), whole as (
        select *, least(until, date_trunc('month', since at time zone 'UTC' + interval '1 month' - interval '1 microsecond')
            at time zone 'UTC') as first,
          date_trunc('month', until at time zone 'UTC') at time zone 'UTC' as last
        from range
      ), months as materialized (
        select since, until, first, greatest(first, last) as last from whole
      ), cell as (
        select d.stage_type_id, d.service_type_id, sum(d.stages) as count, sum(d.stages * d.days) as days,
          min(d.days), max(d.days)
        from analytics_stage_days d
        where d.stages > 0 and d.month >= (${bound('first')} at time zone 'UTC')::date
          and d.month < (${bound('last')} at time zone 'UTC')::date
        group by d.stage_type_id, d.service_type_id
        union all
        select stage_type_id, service_type_id, count(*), sum(days), min(days), max(days)
        from (${daysBetween('since', 'first')} union all ${daysBetween('last', 'until')}) edge
        group by stage_type_id, service_type_id
      ), overall as (
        select stage_type_id, sum(count) as count, sum(days) as days, min(min), max(max) 
        from cell c ${population === 'same' ? sql`where ${shown}` : sql``} group by stage_type_id
      ), of_service_type as (
        select stage_type_id, service_type_id, sum(count) as count, sum(days) as days, min(min), max(max)
        from cell c where ${shown} group by stage_type_id, service_type_id
      ), breakdown as (
        select c.stage_type_id, json_agg(json_build_object('service_type_id', t.id, 'service_type_name', t.name,
          'count', c.count, 'avg_processing_days', round(c.days / c.count, 2), 'min_processing_days', c.min,
          'max_processing_days', c.max) order by t.name, t.id) as service_types
        from of_service_type c join service_type t on t.id = c.service_type_id
        group by c.stage_type_id
      ) ${data(sql`
      select s.id as stage_type_id, s.name as stage_type_name, s.display_name as stage_type_display_name,
        b.service_types, o.count as overall_count, round(o.days / o.count, 2) as overall_avg_processing_days,
        o.min as overall_min_processing_days, o.max as overall_max_processing_days
      from breakdown b join overall o using (stage_type_id) join stage_type s on s.id = b.stage_type_id
      order by s.id`)}`,
  );
}
