import type pg from 'pg';
import type { ActualColumns } from './inspection.ts';
import { TABLES, type TableName } from './predecessor.ts';
import { rulesFor } from './rules.ts';

/** Rows that our tables would refuse. Nothing is repaired silently: a person decides. */
export interface Problem {
  readonly table: TableName;
  readonly rule: string;
  readonly reason: string;
  /** How many rows. */
  readonly count: number;
  /** Which ones, in order; at most the first thousand. A row of a table without id is named by its key (3/7). */
  readonly ids: readonly string[];
  /** A suggestion, as SQL. */
  readonly repair: string;
}

const MOST_IDS = 1000;

export async function findProblems(client: pg.ClientBase, actual: ActualColumns): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const { table, rule, reason, breaks, repair } of rulesFor(actual)) {
    const { key } = TABLES[table];
    const columns = key.map((name) => `x.${name}`);
    const { rows } = await client.query<{ count: number; ids: string[] | null }>(
      `select count(*)::int as count, (array_agg(concat_ws('/', ${columns.join(', ')}) order by ${columns.join(', ')}))[:${MOST_IDS}] as ids
       from ${table} x where ${breaks}`,
    );
    const [found] = rows;
    if (found === undefined || found.ids === null) continue;
    problems.push({ table, rule, reason, count: found.count, ids: found.ids, repair });
  }
  return problems;
}
