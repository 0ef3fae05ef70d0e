import type pg from 'pg';
import { DatabaseRefusal } from '../refusal.ts';
import type { ActualColumns } from './inspection.ts';
import { TABLE_NAMES, TABLES } from './predecessor.ts';

/** Only names of zones: of an offset like UTC+3 people and PostgreSQL disagree about the sign. */
export async function refuseUnknownZone(client: pg.ClientBase, timeZone: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_timezone_names where lower(name) = lower($1)', [
    timeZone,
  ]);
  if (rowCount !== 0) return;
  throw new DatabaseRefusal(
    `The database server knows no time zone ${timeZone}.`,
    'Set CALCULAUD_LEGACY_TZ to a name like UTC or Asia/Jerusalem.',
  );
}

/**
 * What becomes of times that the clock on the wall did not show, or showed twice, when it was put forward or back. The
 * old times do not tell which one was meant; a person should know how many there are.
 */
export async function clockNotes(
  client: pg.ClientBase,
  actual: ActualColumns,
  timeZone: string,
): Promise<string[]> {
  const notes: string[] = [];
  if (timeZone.toUpperCase() === 'UTC') return notes;
  for (const table of TABLE_NAMES) {
    for (const [name, { kind }] of Object.entries(TABLES[table].columns)) {
      if (kind !== 'time' || actual.get(table)?.get(name)?.type !== 'timestamp') continue;
      const { rows } = await client.query<{ never: number; twice: number }>(
        `select count(*) filter (where (at at time zone $1) <> wall)::int as never,
           count(*) filter (where (at at time zone $1) = wall and (
             ((at - interval '1 hour') at time zone $1) = wall or ((at + interval '1 hour') at time zone $1) = wall
             or ((at - interval '30 minutes') at time zone $1) = wall or ((at + interval '30 minutes') at time zone $1) = wall
           ))::int as twice
         from (select ${name} as wall, ${name} at time zone $1 as at from ${table}) x`,
        [timeZone],
      );
      const [{ never, twice } = { never: 0, twice: 0 }] = rows;
      if (never > 0) {
        notes.push(
          `${table}.${name}: ${never} times that ${timeZone} never showed (clock put forward) move forward with it.`,
        );
      }
      if (twice > 0) {
        notes.push(
          `${table}.${name}: ${twice} times that ${timeZone} showed twice (clock put back) are read as the second.`,
        );
      }
    }
  }
  return notes;
}
