import { type RawBuilder, sql } from 'kysely';

/**
 * A stage's JSON (contract 2.2), from its row and the row of `stage_type_json`. `daysSincePrevious` is worked out only
 * inside a purchase; a stage by itself has null there, as in v1.
 */
export function stageJson(
  row: string,
  typeRow: string,
  daysSincePrevious: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${row}.${name}`);
  return sql`json_build_object('id', ${column('id')}, 'purchase_id', ${column('purchase_id')},
    'stage_type_id', ${column('stage_type_id')}, 'priority', ${column('priority')}, 'value', ${column('value')},
    'completion_date', ${column('completion_date')}, 'note', ${column('note')},
    'custom_name', ${column('custom_name')}, 'days_since_previous_stage', ${daysSincePrevious},
    'ready_at', utc_iso(${column('ready_at')}), 'started_at', utc_iso(${column('started_at')}),
    'done_at', utc_iso(${column('done_at')}), 'stage_type', ${sql.ref(`${typeRow}.json`)})`;
}

/** Contract 3.8: whole days from the latest completion one level before, to its own completion or today. */
export function daysSincePreviousStage(row: string, today: string): RawBuilder<unknown> {
  return sql`case when ${sql.ref(`${row}.priority`)} > 1
    then coalesce(${sql.ref(`${row}.completion_date`)}, ${today}::date) - ${sql.ref(`${row}.previous_completion_date`)} end`;
}
