import type { CompiledQuery, RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { PurposeFilters } from '@calculaud/contract/purposes';
import type { Executor } from '@calculaud/db/database';
import { withTables } from '../../platform/sql.ts';
import { alignedColumns, numberedTypes, stageTypeNames, v1Columns } from './export-purchases.ts';
import { condition, orderBy, searchHits } from './filters.ts';

export interface CsvOptions {
  readonly today: string;
  readonly timeZone: string;
  /** Cells as they are, also those that a spreadsheet would run. */
  readonly raw: boolean;
  /** Given: the aligned layout, with a column for each of these currencies. */
  readonly currencies?: readonly string[] | undefined;
}

const v1Header = [
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

/** The codes of the currencies that costs are in, in their order. */
export async function currencyCodes(db: Executor): Promise<readonly string[]> {
  const { rows } = await sql<{ code: string }>`/* purposes.export-currencies */
    select code from currency order by position, id`.execute(db);
  return rows.map(({ code }) => code);
}

/** The titles of the columns: v1's, and with `currencies` those that the aligned layout has beyond them. */
export function csvHeader(currencies: readonly string[] | undefined): readonly string[] {
  return currencies
    ? [
        ...v1Header,
        'Flagged',
        'Pending Authority',
        'Budget Sources',
        ...currencies.map((code) => `Costs ${code}`),
      ]
    : v1Header;
}

/** The purposes that match as finished CSV rows, column `line`, ended by CR LF (contract 3.12). To be streamed. */
export function csvRows(
  db: Executor,
  filters: PurposeFilters,
  { today, timeZone, raw, currencies }: CsvOptions,
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
    ...(currencies
      ? [
          cell(sql`case when o.is_flagged then 'yes' else 'no' end`),
          cell(sql`authority.name`),
          lines('budget_sources'),
          ...currencies.map((_, n) => lines(`costs_${n}`)),
        ]
      : []),
  ];
  const columns = currencies ? alignedColumns(today, currencies) : v1Columns(today);
  // The join is set-based: the purchases of a purpose are read once, each with its stages once.
  return sql<{ line: string }>`
    ${withTables(stageTypeNames, searchHits(filters))}
    select ${sql.join(cells, sql` || ',' || `)} || E'\r\n' as line
    from purpose o
    left join supplier on supplier.id = o.supplier_id
    left join service_type on service_type.id = o.service_type_id
    left join hierarchy on hierarchy.id = o.hierarchy_id
    left join responsible_authority authority on authority.id = o.pending_authority_id
    left join lateral (${columns}) purchases on true
    where ${condition(filters, timeZone)}
    ${orderBy(filters)}`.compile(db);
}

function quoted(value: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`'"' || replace(coalesce((${value})::text, ''), '"', '""') || '"'`;
}

/** A cell that starts like a formula begins with an apostrophe (OWASP, CSV injection). */
function neutralised(value: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`regexp_replace((${value})::text, E'^([=+@\t\r-])', '''\\1')`;
}
