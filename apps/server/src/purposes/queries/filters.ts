import { type RawBuilder, sql } from 'kysely';
import type { PurposeFilters } from '@calculaud/contract/purposes';
import { descendantIds } from '../../hierarchies/shapes.ts';
import { all, containing } from '../../platform/sql.ts';

/** The filters as one condition on purpose row `o` (contract 3.2). Each purpose matches once, whatever it joins. */
export function conditions(filters: PurposeFilters, timeZone: string): RawBuilder<boolean> {
  const among = (column: string, values: readonly (number | string)[] | undefined, type: string) =>
    values ? [sql`${sql.ref(`o.${column}`)} = any(${values}::${sql.raw(type)})`] : [];
  const startOf = (day: string, plusDays: number) =>
    sql`((${day}::date + ${sql.lit(plusDays)})::timestamp at time zone ${timeZone})`;
  return all([
    ...(filters.search ? [sql`o.id in (select id from search_hit)`] : []),
    ...(filters.start_date ? [sql`o.creation_time >= ${startOf(filters.start_date, 0)}`] : []),
    ...(filters.end_date ? [sql`o.creation_time < ${startOf(filters.end_date, 1)}`] : []),
    ...(filters.hierarchy_id
      ? [sql`o.hierarchy_id = any(array(${descendantIds(filters.hierarchy_id)}))`]
      : []),
    ...among('status', filters.status, 'purpose_status[]'),
    ...among('supplier_id', filters.supplier_id, 'integer[]'),
    ...among('service_type_id', filters.service_type_id, 'integer[]'),
    ...among('pending_authority_id', filters.pending_authority_id, 'integer[]'),
    ...(filters.service_id
      ? [
          sql`o.id in (select purpose_id from purpose_content where service_id = any(${filters.service_id}::integer[]))`,
        ]
      : []),
    ...(filters.budget_source_id
      ? [
          sql`o.id in (select purpose_id from purchase where budget_source_id = any(${filters.budget_source_id}::integer[]))`,
        ]
      : []),
    ...(filters.is_flagged === undefined
      ? []
      : [filters.is_flagged ? sql`o.is_flagged` : sql`not o.is_flagged`]),
  ]);
}

/**
 * `search_hit (id)`: the purposes in which the text occurs (contract 3.1), to stand last in the WITH list. Each place is
 * looked up by its own trigram index; one condition with OR over joined tables would read everything.
 */
export function searchHits(search: string | undefined): RawBuilder<unknown> {
  if (!search) {
    return sql``;
  }
  const pattern = containing(search);
  const named = (table: string) => sql`(select id from ${sql.table(table)} where name ilike ${pattern})`;
  return sql`, search_hit as materialized (
    select id from purpose where description ilike ${pattern} or comments ilike ${pattern}
    union select id from purpose where supplier_id in ${named('supplier')}
    union select id from purpose where hierarchy_id in ${named('hierarchy')}
    union select id from purpose where service_type_id in ${named('service_type')}
    union select purpose_id from purchase where budget_source_id in ${named('budget_source')}
    union select purpose_id from purpose_content where service_id in ${named('service')}
    union select purchase.purpose_id from purchase where id in (
      select purchase_id from stage where value ilike ${pattern} or note ilike ${pattern} or custom_name ilike ${pattern}))`;
}

const sortColumns = new Set([
  'id',
  'creation_time',
  'last_modified',
  'expected_delivery',
  'description',
  'status',
  'comments',
  'hierarchy_id',
  'supplier_id',
  'service_type_id',
  'is_flagged',
  'current_status_changed_at',
]);

/** Contract 3.3, with the id as the last key so that pages neither repeat nor skip a purpose. */
export function orderBy({
  sort_by,
  sort_order,
}: Pick<PurposeFilters, 'sort_by' | 'sort_order'>): RawBuilder<unknown> {
  const direction = sql.raw(sort_order);
  if (sort_by === 'days_since_last_completion') {
    // The most days are the earliest date; none comes last both ways.
    const dateDirection = sql.raw(sort_order === 'asc' ? 'desc' : 'asc');
    return sql`order by o.waiting_since ${dateDirection} nulls last, o.id ${dateDirection}`;
  }
  const column = sql.ref(`o.${sortColumns.has(sort_by) ? sort_by : 'creation_time'}`);
  return sort_by === 'id'
    ? sql`order by o.id ${direction}`
    : sql`order by ${column} ${direction}, o.id ${direction}`;
}
