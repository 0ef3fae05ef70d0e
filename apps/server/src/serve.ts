import type { Config } from '@calculaud/config/config';
import { openDatabase } from '@calculaud/db/database';
import { assertSchemaFits } from '@calculaud/db/schema-fit';
import { buildApp } from './app.ts';
import { followConfiguredRate } from './currencies/service.ts';
import { prepareDataFolder } from './data-folder.ts';
import { openHealthDatabase } from './health/database.ts';
import { buildManagement } from './health/management.ts';
import { createAuthenticator } from './identity/authenticate.ts';
import { listen, managementPort, publicPort } from './listen.ts';
import { Connections } from './platform/connections.ts';
import { drain } from './platform/drain.ts';
import { Lifecycle } from './platform/lifecycle.ts';
import { RequestCount } from './platform/request-count.ts';
import type { Services } from './platform/services.ts';
import { openStorage } from './platform/storage.ts';

export interface RunningServer {
  readonly services: Services;
  /** Of the API and of the management port, as they are really bound. */
  readonly url: string;
  readonly managementUrl: string;
  /**
   * Turns readiness red, goes on serving until that was noticed, lets open requests finish, and closes everything; at
   * the latest after the drain timeout.
   */
  stop(): Promise<void>;
}

/** What is left of the drain timeout for closing the database after the last request was finished or cut off. */
const CLOSING_MS = 1500;

/** Opens what the API works with, and answers on both ports. */
export async function serve(config: Config, databaseUrl: string): Promise<RunningServer> {
  prepareDataFolder(config);
  await assertSchemaFits(databaseUrl);
  const lifecycle = new Lifecycle();
  const db = openDatabase({
    connectionString: databaseUrl,
    poolSize: config.database.poolSize,
    statementTimeoutMs: config.database.statementTimeoutMs,
    applicationName: 'calculaud api',
    onIdleError: (error) => app.log.warn({ err: error }, 'a database connection broke while idle'),
  });
  const services: Services = { config, db, storage: await openStorage(config.files.store) };
  const app = await buildApp({ ...services, lifecycle, authenticate: createAuthenticator(services) });
  const connections = new Connections(app);
  const requests = new RequestCount();
  requests.watch(app.server);
  const health = openHealthDatabase(databaseUrl);
  const management = buildManagement({ ...services, db: health }, lifecycle, requests);
  const close = async () => {
    await app.close();
    await management.close();
    await health.close();
    await db.close();
  };
  try {
    await followConfiguredRate(services);
    const managementUrl = await listen(management, managementPort(config));
    const url = await listen(app, publicPort(config));
    lifecycle.markStarted();
    return {
      services,
      url,
      managementUrl,
      stop: async () => {
        lifecycle.markDraining();
        const { drainNoticeMs: noticeMs, drainTimeoutMs } = config.http;
        await drain(connections, { noticeMs, limitMs: Math.max(drainTimeoutMs - CLOSING_MS, 0) }, close);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
