import { type RawBuilder, sql } from 'kysely';
import { columns, type Members, object, type Value } from '../platform/sql.ts';

/** What every stage shows (contract 2.2), from its row and the row of `stage_type_json`. */
function members(row: string, typeRow: string, daysSincePrevious: RawBuilder<unknown>): Members {
  const column = (name: string) => sql.ref(`${row}.${name}`);
  return {
    id: column('id'),
    purchase_id: column('purchase_id'),
    stage_type_id: column('stage_type_id'),
    priority: column('priority'),
    value: column('value'),
    completion_date: column('completion_date'),
    note: column('note'),
    custom_name: column('custom_name'),
    days_since_previous_stage: daysSincePrevious,
    stage_type: sql.ref(`${typeRow}.json`),
  };
}

/** The select list of a stage inside its purchase, to be made JSON by `row_to_json`. */
export function stageColumns(row: string, typeRow: string, today: Value<string>): RawBuilder<unknown> {
  return columns(members(row, typeRow, daysSincePreviousStage(row, today)));
}

/** A stage by itself. It has no days since the previous one, as in v1, but tells when it became ready, began and ended. */
export function stageJson(row: string, typeRow: string): RawBuilder<unknown> {
  const time = (name: string) => sql`utc_iso(${sql.ref(`${row}.${name}`)})`;
  const who = (name: string) => sql`(select name from principal where id = ${sql.ref(`${row}.${name}`)})`;
  return object({
    ...members(row, typeRow, sql`null::integer`),
    ready_at: time('ready_at'),
    started_at: time('started_at'),
    started_by: who('started_by'),
    done_at: time('done_at'),
    done_by: who('done_by'),
  });
}

/** Contract 3.8: whole days from the latest completion one level before, to its own completion or today. */
function daysSincePreviousStage(row: string, today: Value<string>): RawBuilder<unknown> {
  return sql`case when ${sql.ref(`${row}.priority`)} > 1
    then coalesce(${sql.ref(`${row}.completion_date`)}, ${today}::date) - ${sql.ref(`${row}.previous_completion_date`)} end`;
}
