import { type RawBuilder, sql } from 'kysely';

/**
 * What the columns of the export tell of the purchases of purpose `o`: one row of texts with a line per purchase, by id.
 * The statement's WITH list needs `stageTypeNames`.
 */

/** Technical names of the stage types that have columns of their own, each for its values and its dates. */
export const numberedTypes = ['emf_id', 'bikushit_id', 'demand_id', 'order_id'];

export const stageTypeNames: RawBuilder<unknown> = sql`
  stage_type_name as materialized (select id, name, display_name from stage_type)`;

/**
 * Contract 3.12: `ids`, `<type>_values`, `<type>_dates` (of the purchases that have any of the values) and `pending`,
 * which has blank lines.
 */
export function v1Columns(today: string): RawBuilder<unknown> {
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
    from (${purchases(sql`t.name`)}) p`;
}

/** The same columns with exactly one line per purchase, `budget_sources`, and `costs_<n>` of the nth currency (W40). */
export function alignedColumns(today: string, currencies: readonly string[]): RawBuilder<unknown> {
  // A line end inside a value would shift the lines below it.
  const line = (value: RawBuilder<unknown>) =>
    sql`string_agg(coalesce(nullif(trim(regexp_replace((${value})::text, '\\s*[\\r\\n]+\\s*', ' ', 'g')), ''), ${NOTHING}),
      E'\n' order by p.id)`;
  const columns = numberedTypes.flatMap((type) => [
    sql`${line(sql.ref(`p.${type}_value`))} as ${sql.ref(`${type}_values`)}`,
    sql`${line(sql.ref(`p.${type}_date`))} as ${sql.ref(`${type}_dates`)}`,
  ]);
  const costs = currencies.map(
    (currency, n) =>
      sql`${line(sql`
      select sum(c.amount) from cost c where c.purchase_id = p.id and c.currency = ${currency}`)} as ${sql.ref(`costs_${n}`)}`,
  );
  return sql`
    select ${line(sql`p.id`)} as ids, ${sql.join([...columns, ...costs])},
      ${line(sql`coalesce((${today}::date - p.waiting_since) || ' days in ', '') || p.pending`)} as pending,
      ${line(sql`b.name`)} as budget_sources
    from (${purchases(sql`coalesce(s.custom_name, t.display_name)`)}) p
    left join budget_source b on b.id = p.budget_source_id`;
}

/** Stands in a line that would be blank. No plain dash: with one a cell could look like a formula. */
const NOTHING = '–';

/** Each purchase once, with its stages read once: of a numbered type the last one that has a value. */
function purchases(stageName: RawBuilder<unknown>): RawBuilder<unknown> {
  const perType = numberedTypes.flatMap((type) => {
    const last = (column: string) =>
      sql`(array_agg(${sql.ref(`s.${column}`)} order by s.id desc) filter (where t.name = ${sql.lit(type)} and s.value <> ''))[1]`;
    return [
      sql`${last('value')} as ${sql.ref(`${type}_value`)}`,
      sql`${last('completion_date')} as ${sql.ref(`${type}_date`)}`,
    ];
  });
  return sql`
    select purchase.id, purchase.waiting_since, purchase.budget_source_id, ${sql.join(perType)},
      string_agg(${stageName}, ', ' order by s.id)
        filter (where s.completion_date is null and s.priority = purchase.current_priority) as pending
    from purchase
    left join stage s on s.purchase_id = purchase.id
    left join stage_type_name t on t.id = s.stage_type_id
    where purchase.purpose_id = o.id
    group by purchase.id`;
}
