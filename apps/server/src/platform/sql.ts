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
