import { loadConfig } from '@calculaud/config/load';
import { openDatabase } from '@calculaud/db/database';
import { assertSchemaFits } from '@calculaud/db/schema-fit';
import { prepareDataFolder } from './data-folder.ts';
import { buildManagement } from './health/management.ts';
import { listen, managementPort } from './listen.ts';
import { Lifecycle } from './platform/lifecycle.ts';
import { RequestCount } from './platform/request-count.ts';
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
  prepareDataFolder(config);
  await assertSchemaFits(url);
  const lifecycle = new Lifecycle();
  const db = openDatabase({
    connectionString: url,
    poolSize: 2,
    statementTimeoutMs: config.database.statementTimeoutMs,
    applicationName: 'calculaud worker',
  });
  const services = { config, db, storage: await openStorage(config.files.store) };
  const management = buildManagement(services, lifecycle, new RequestCount());
  try {
    await listen(management, managementPort(config));
    const worker = await startWorker(services, url);
    lifecycle.markStarted();
    return {
      stop: async () => {
        lifecycle.markDraining();
        await worker.stop();
        await management.close();
        await db.close();
      },
    };
  } catch (error) {
    await management.close();
    await db.close();
    throw error;
  }
});
