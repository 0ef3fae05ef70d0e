import { type RawBuilder, sql } from 'kysely';
import type { PurposeFilters } from '@calculaud/contract/purposes';
import type { Executor } from '@calculaud/db/database';
import type { Page } from '../../platform/paging.ts';
import { type JsonPage, jsonPage, type Value, withTables } from '../../platform/sql.ts';
import { orderBy, pageRows, searchHits, total } from './filters.ts';
import type { View } from './read.ts';

/** One page of purposes, each with what a row of a table shows, and how many match in all, in one statement. */
export async function listSummaries(
  db: Executor,
  filters: PurposeFilters,
  page: Page,
  { today, timeZone }: Pick<View, 'today' | 'timeZone'>,
): Promise<JsonPage> {
  const stageNames = sql`stage_name as materialized (select id, display_name from stage_type)`;
  return jsonPage(
    db,
    sql`/* purposes.summaries */ ${withTables(stageNames, searchHits(filters))}`,
    summaryRows(pageRows(filters, page, timeZone), orderBy(filters), today),
    total(filters, timeZone),
  );
}

function summaryRows(rows: RawBuilder<unknown>, order: RawBuilder<unknown>, today: Value<string>) {
  return sql`
    select row_to_json(member)::text as json
    from ${rows} o
    left join supplier on supplier.id = o.supplier_id
    left join service_type on service_type.id = o.service_type_id
    left join hierarchy h on h.id = o.hierarchy_id
    left join responsible_authority a on a.id = o.pending_authority_id,
    lateral (
      select o.id, o.description, o.status, o.comments, o.is_flagged, o.expected_delivery,
        utc_iso(o.creation_time) as creation_time, utc_iso(o.last_modified) as last_modified,
        supplier.name as supplier, service_type.name as service_type,
        case when h.id is not null then json_build_object('id', h.id, 'name', h.name, 'path', h.path) end as hierarchy,
        case when a.id is not null then json_build_object('id', a.id, 'name', a.name) end as pending_authority,
        (select coalesce(json_agg(content), '[]') from (
          select c.quantity, s.name as service_name
          from purpose_content c join service s on s.id = c.service_id
          where c.purpose_id = o.id order by c.id) content) as contents,
        (select coalesce(json_agg(purchase), '[]') from (${purchases(today)}) purchase) as purchases,
        (select coalesce(json_agg(currency_total), '[]') from (
          select c.currency, sum(c.amount) as amount
          from purchase p join cost c on c.purchase_id = p.id
          where p.purpose_id = o.id group by c.currency order by c.currency) currency_total) as totals,
        (select count(*) from purpose_file_attachment l where l.purpose_id = o.id) as file_count
    ) member
    ${order}`;
}

function purchases(today: Value<string>): RawBuilder<unknown> {
  return sql`
    select p.id, ${today}::date - p.waiting_since as days_since_last_completion,
      (select coalesce(json_agg(coalesce(s.custom_name, n.display_name) order by s.id), '[]')
        from stage s join stage_name n on n.id = s.stage_type_id
        where s.purchase_id = p.id and s.priority = p.current_priority and s.completion_date is null) as current_stages,
      b.name as budget_source
    from purchase p left join budget_source b on b.id = p.budget_source_id
    where p.purpose_id = o.id order by p.id`;
}
