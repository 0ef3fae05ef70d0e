import { type RawBuilder, sql } from 'kysely';

/** The LIKE pattern for "contains this text": what a person types has no wildcards. */
export function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, (character) => `\\${character}`)}%`;
}

/** Conditions joined by AND; none is true. */
export function all(conditions: readonly RawBuilder<unknown>[]): RawBuilder<boolean> {
  return conditions.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(conditions, sql` and `)}`;
}

/** Rows of finished JSON as one JSON array, as text. The subquery has a column `json` and its own order. */
export function jsonArray(rows: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`(select coalesce(json_agg(rows.json), '[]')::text from (${rows}) rows)`;
}

/** The same of rows whose column `json` is finished JSON as text: nothing is parsed or escaped again. */
export function textArray(rows: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`(select '[' || coalesce(string_agg(rows.json, ','), '') || ']' from (${rows}) rows)`;
}

/** The members of a JSON object: name and value. */
export type Members = Readonly<Record<string, RawBuilder<unknown>>>;

/**
 * As a select list, for `row_to_json` and `json_agg` over the rows of a subquery. That takes half the time of
 * `json_build_object`, which looks up the type of every value of every row anew (4.9 against 2.4 µs for nine members).
 */
export function columns(members: Members): RawBuilder<unknown> {
  return sql.join(Object.entries(members).map(([name, value]) => sql`${value} as ${sql.ref(name)}`));
}

/** The JSON object in this column, as text, with further members. It has one at least. */
export function withMembers(column: string, members: Members): RawBuilder<string> {
  return sql<string>`left(${sql.ref(column)}::text, -1) || ',' || substr(${object(members)}::text, 2)`;
}

/** As one expression, where there is no subquery to take rows from. */
export function object(members: Members): RawBuilder<unknown> {
  return sql`json_build_object(${sql.join(Object.entries(members).map(([name, value]) => sql`${sql.lit(name)}, ${value}`))})`;
}
