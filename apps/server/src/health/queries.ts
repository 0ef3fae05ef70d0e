import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';

export async function ping(db: Executor): Promise<void> {
  await sql`/* health.ping */ select 1`.execute(db);
}
