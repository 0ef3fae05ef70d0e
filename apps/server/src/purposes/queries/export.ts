import type { CompiledQuery, RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { PurposeFilters } from '@calculaud/contract/purposes';
import type { Executor } from '@calculaud/db/database';
import { condition, orderBy, searchHits } from './filters.ts';

export interface CsvOptions {
  readonly today: string;
  readonly timeZone: string;
  /** Cells as they are, also those that a spreadsheet would run. */
  readonly raw: boolean;
}

export const csvHeader = [
  'ID',
  'Description',
  'Status',
  'Creation Time',
  'Last Modified',
  'Expected Delivery',
  'Comments',
  'Hierarchy',
  'Supplier',
  'Service Type',
  'Services',
  'Purchases',
  'EMF IDs',
  'EMF IDs Completion Date',
  'Bikushit IDs',
  'Bikushit IDs Completion Date',
  'Demand IDs',
  'Demand IDs Completion Date',
  'Order IDs',
  'Order IDs Completion Date',
  'Pending Stages',
  'File Attachments',
];

const numberedTypes = ['emf_id', 'bikushit_id', 'demand_id', 'order_id'];

/** The purposes that match as finished CSV rows, column `line`, ended by CR LF (contract 3.12). To be streamed. */
export function csvRows(
  db: Executor,
  filters: PurposeFilters,
  { today, timeZone, raw }: CsvOptions,
): CompiledQuery<{ line: string }> {
  const cell = (value: RawBuilder<unknown>) => quoted(raw ? value : neutralised(value));
  const lines = (column: string) => cell(sql`purchases.${sql.ref(column)}`);
  const cells = [
    cell(sql`o.id`),
    cell(sql`o.description`),
    cell(sql`o.status`),
    cell(sql`utc_iso(o.creation_time)`),
    cell(sql`utc_iso(o.last_modified)`),
    cell(sql`o.expected_delivery`),
    cell(sql`o.comments`),
    cell(sql`hierarchy.path`),
    cell(sql`supplier.name`),
    cell(sql`service_type.name`),
    cell(sql`(select string_agg(c.quantity || ' ' || s.name, E'\n' order by c.id)
      from purpose_content c join service s on s.id = c.service_id where c.purpose_id = o.id)`),
    lines('ids'),
    ...numberedTypes.flatMap((type) => [lines(`${type}_values`), lines(`${type}_dates`)]),
    lines('pending'),
    cell(sql`(select string_agg(f.original_filename, E'\n' order by f.id)
      from purpose_file_attachment l join file_attachment f on f.id = l.file_attachment_id where l.purpose_id = o.id)`),
  ];
  // The join is set-based: the purchases of a purpose are read once, each with its stages once.
  return sql<{ line: string }>`
    with numbered_type as materialized (select id, name from stage_type)
    ${searchHits(filters)}
    select ${sql.join(cells, sql` || ',' || `)} || E'\r\n' as line
    from purpose o
    left join supplier on supplier.id = o.supplier_id
    left join service_type on service_type.id = o.service_type_id
    left join hierarchy on hierarchy.id = o.hierarchy_id
    left join lateral (${purchaseColumns(today)}) purchases on true
    where ${condition(filters, timeZone)}
    ${orderBy(filters)}`.compile(db);
}

/** Everything that the columns of purchases tell, one row a purpose. */
function purchaseColumns(today: string): RawBuilder<unknown> {
  const perType = numberedTypes.flatMap((type) => {
    const last = (column: string) =>
      sql`(array_agg(${sql.ref(`s.${column}`)} order by s.id desc) filter (where t.name = ${sql.lit(type)} and s.value <> ''))[1]`;
    return [
      sql`${last('value')} as ${sql.ref(`${type}_value`)}`,
      sql`${last('completion_date')} as ${sql.ref(`${type}_date`)}`,
    ];
  });
  const anyNumber = sql.join(
    numberedTypes.map((type) => sql`p.${sql.ref(`${type}_value`)} is not null`),
    sql` or `,
  );
  const aligned = (column: string) =>
    sql`string_agg(coalesce(p.${sql.ref(column)}::text, ''), E'\n' order by p.id) filter (where ${anyNumber})`;
  const columns = numberedTypes.flatMap((type) => [
    sql`${aligned(`${type}_value`)} as ${sql.ref(`${type}_values`)}`,
    sql`${aligned(`${type}_date`)} as ${sql.ref(`${type}_dates`)}`,
  ]);
  return sql`
    select string_agg(p.id::text, E'\n' order by p.id) as ids, ${sql.join(columns)},
      string_agg(coalesce((${today}::date - p.waiting_since) || ' days in ' || p.pending, ''), E'\n' order by p.id) as pending
    from (
      select purchase.id, purchase.waiting_since, ${sql.join(perType)},
        string_agg(t.name, ', ' order by s.id)
          filter (where s.completion_date is null and s.priority = purchase.current_priority) as pending
      from purchase
      left join stage s on s.purchase_id = purchase.id
      left join numbered_type t on t.id = s.stage_type_id
      where purchase.purpose_id = o.id
      group by purchase.id
    ) p`;
}

function quoted(value: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`'"' || replace(coalesce((${value})::text, ''), '"', '""') || '"'`;
}

/** A cell that starts like a formula begins with an apostrophe (OWASP, CSV injection). */
function neutralised(value: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`regexp_replace((${value})::text, E'^([=+@\t\r-])', '''\\1')`;
}
