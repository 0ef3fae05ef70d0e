import { type RawBuilder, sql } from 'kysely';

/** The JSON of each catalogue record, from the row of the given alias. */

export function budgetSourceJson(row: string): RawBuilder<unknown> {
  return sql`json_build_object('id', ${sql.ref(`${row}.id`)}, 'name', ${sql.ref(`${row}.name`)})`;
}
