import { loadConfig } from '@calculaud/config/load';
import { openDatabase } from '@calculaud/db/database';
import { assertSchemaFits } from '@calculaud/db/schema-fit';
import { openStorage } from './platform/storage.ts';
import { runUntilSignal } from './process.ts';
import { StartError } from './start-refusal.ts';
import { startWorker } from './work.ts';

/** The background work alone, beside API processes that run elsewhere. Several share the work. */
await runUntilSignal(async () => {
  const config = loadConfig();
  const url = config.database.workerUrl ?? config.database.url;
  if (!url) {
    throw new StartError('DATABASE_URL is not set. `npm start` runs with a database of its own.');
  }
  await assertSchemaFits(url);
  const db = openDatabase({
    connectionString: url,
    poolSize: 2,
    statementTimeoutMs: config.database.statementTimeoutMs,
    applicationName: 'calculaud worker',
  });
  const worker = await startWorker({ config, db, storage: await openStorage(config.files.store) }, url);
  return {
    stop: async () => {
      await worker.stop();
      await db.close();
    },
  };
});
