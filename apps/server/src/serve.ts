import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Config } from '@calculaud/config/config';
import { openDatabase } from '@calculaud/db/database';
import { assertSchemaFits } from '@calculaud/db/schema-fit';
import { buildApp } from './app.ts';
import { followConfiguredRate } from './currencies/service.ts';
import { buildManagement } from './health/management.ts';
import { createAuthenticator } from './identity/authenticate.ts';
import { Connections } from './platform/connections.ts';
import { drain } from './platform/drain.ts';
import { Lifecycle } from './platform/lifecycle.ts';
import { RequestCount } from './platform/request-count.ts';
import type { Services } from './platform/services.ts';
import { openStorage } from './platform/storage.ts';
import { StartError } from './start-refusal.ts';

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
  const management = buildManagement(services, lifecycle, requests);
  const close = async () => {
    await app.close();
    await management.close();
    await db.close();
  };
  try {
    await followConfiguredRate(services);
    const managementUrl = await listen(
      management,
      config.management.host,
      config.management.port,
      'MANAGEMENT_PORT',
    );
    const url = await listen(app, config.http.host, config.http.port, 'PORT');
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

async function listen(app: FastifyInstance, host: string, port: number, variable: string): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    if (
      error instanceof Error &&
      'code' in error &&
      (error.code === 'EADDRINUSE' || error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL')
    ) {
      if (error.code === 'EADDRNOTAVAIL') {
        throw new StartError(
          `No network interface of this machine has the address ${host}. Set HOST to one that it has.`,
        );
      }
      const reason =
        error.code === 'EADDRINUSE' ? 'is used by another program' : 'may not be used by this user';
      throw new StartError(
        `Port ${port} on ${host} ${reason}. Set ${variable} to another port${variable === 'PORT' ? '' : ' (0: any free one)'}.`,
      );
    }
    throw error;
  }
  return urlOf(app.server.address());
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') {
    throw new Error('a TCP server has an address');
  }
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
