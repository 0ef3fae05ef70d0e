import pg from 'pg';
import { listPurposes } from '@calculaud/contract/purposes';
import type { Client } from './client.ts';

export interface PageStatements {
  readonly limit: number;
  /** Statements that the server sent for each page; those of sign-in apart. */
  readonly perPage: number;
  readonly signInPerPage: number;
}

const PAGES = 20;

/** How many statements pages of several sizes really take: counted by the database, not by the server. */
export async function countPageStatements(
  client: Client,
  connectionString: string,
): Promise<readonly PageStatements[]> {
  const database = new pg.Client({ connectionString });
  await database.connect();
  try {
    const counts: PageStatements[] = [];
    for (const limit of [1, 50, 200]) {
      await database.query('select pg_stat_statements_reset()');
      for (let page = 0; page < PAGES; page += 1) {
        await client.bytes({ method: 'GET', path: `/api/v1${listPurposes.path}?limit=${limit}` });
      }
      const { rows } = await database.query<{ calls: number; sign_in: boolean }>(
        `select sum(calls)::integer as calls, query like '%api_token%' as sign_in
         from pg_stat_statements where userid = 'calculaud_app'::regrole group by 2`,
      );
      const calls = (signIn: boolean) => rows.find(({ sign_in }) => sign_in === signIn)?.calls ?? 0;
      counts.push({ limit, perPage: calls(false) / PAGES, signInPerPage: calls(true) / PAGES });
    }
    return counts;
  } finally {
    await database.end();
  }
}
