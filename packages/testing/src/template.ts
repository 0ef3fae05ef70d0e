import { readdirSync, readFileSync } from 'node:fs';
import { Client } from 'pg';

/** The migrated database of which every test database is a copy. */
export const TEMPLATE = 'test_template';

/** Brings an empty database to the newest schema; every test database is a copy of the result. */
export async function migrateTemplate(connectionString: string): Promise<void> {
  const folder = new URL('../../db/migrations/', import.meta.url);
  const client = new Client({ connectionString });
  await client.connect();
  try {
    for (const name of readdirSync(folder).sort()) {
      if (name.endsWith('.sql')) await client.query(readFileSync(new URL(name, folder), 'utf8'));
    }
  } finally {
    await client.end();
  }
}
