import type { Config } from '@calculaud/config/config';
import { openDatabase } from '@calculaud/db/database';
import { openStorage } from '../platform/storage.ts';
import { addDemo, declineDemo, isUndecided } from './service.ts';

/** Gives a new installation its demonstration. A database of somebody else's server never gets one by itself. */
export async function demonstrateOnFirstStart(
  config: Config,
  databaseUrl: string,
  say: (message: string) => void,
): Promise<void> {
  if (config.database.url) return;
  const db = openDatabase({
    connectionString: databaseUrl,
    poolSize: 2,
    statementTimeoutMs: 60_000,
    applicationName: 'calculaud demonstration',
  });
  try {
    if (!(await isUndecided(db))) return;
    if (!config.organisation.demo) {
      await declineDemo(db);
      return;
    }
    const storage = await openStorage(config.files.store);
    try {
      await storage.check();
    } catch (error) {
      // The system starts without its file store; so it does without a demonstration.
      say(
        `No demonstration was added: the file store cannot be used (${String(error)}). The next start tries again.`,
      );
      return;
    }
    await addDemo({ config, db, storage }, new Date());
    say('Added a demonstration organisation. `npx calculaud demo clear` removes it, and only it.');
  } finally {
    await db.close();
  }
}
