import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@calculaud/config/load';
import { openDatabase } from '@calculaud/db/database';
import { createApiToken } from '@calculaud/server/identity/service';
import { type RunningServer, serve } from '@calculaud/server/serve';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';

/** The whole server on ports of its own, with a database of its own and a token of an administrator. */
export interface TestServer extends Pick<RunningServer, 'url' | 'managementUrl'> {
  readonly token: string;
  readonly database: TestDatabase;
  close(): Promise<void>;
}

export async function startTestServer(): Promise<TestServer> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'calculaud-cli-server-'));
  const database = await createTestDatabase();
  const server = await serve(
    loadConfig({
      LOG_LEVEL: 'silent',
      CALCULAUD_DATA: dataDirectory,
      CALCULAUD_DRAIN_NOTICE_MS: '0',
      PORT: '0',
      MANAGEMENT_PORT: '0',
    }),
    database.url('app'),
  );
  const db = openDatabase({
    connectionString: database.url('app'),
    poolSize: 1,
    statementTimeoutMs: 10_000,
    applicationName: 'calculaud test',
  });
  const { token } = await createApiToken(db, { name: 'test', role: 'admin' });
  await db.close();
  return {
    url: server.url,
    managementUrl: server.managementUrl,
    token,
    database,
    close: async () => {
      await server.stop();
      await database.drop();
      await rm(dataDirectory, { recursive: true });
    },
  };
}
