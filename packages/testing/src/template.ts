import { migrate } from '@calculaud/db/migrate';

/** The migrated database of which every test database is a copy. */
export const TEMPLATE = 'test_template';

/**
 * Brings an empty database to the newest schema, as the product does: with its ledger, its privileges and its
 * reference data. Every test database is a copy of the result.
 */
export async function migrateTemplate(connectionString: string): Promise<void> {
  await migrate({ connectionString });
}
