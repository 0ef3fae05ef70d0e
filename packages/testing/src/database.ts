import { randomBytes } from 'node:crypto';
import type { DatabaseRole } from '@calculaud/embedded/roles';
import { connectEmbedded, type EmbeddedConnection } from '@calculaud/embedded/supervisor';
import { Client, Pool } from 'pg';
import { inject } from 'vitest';
import { TEMPLATE } from './template.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The data folder of the server that all test files of this run share. */
    testServerDirectory: string;
  }
}

export interface TestDatabase {
  readonly name: string;
  /** The connection string of a role, as the product gets it. */
  url(role: DatabaseRole): string;
  /** For what only a superuser may do: take locks of others, read settings, end connections. */
  superuserUrl(): string;
  /** Connections of the owner, to prepare and to look at what the tested code did. */
  readonly pool: Pool;
  /** Ends all connections, also those of others, and removes the database. */
  drop(): Promise<void>;
}

/**
 * A database of its own for a test file, with the newest schema (about 20 ms); an empty one for tests of the migrations
 * themselves. Call `drop()` in afterAll.
 */
export async function createTestDatabase({ empty = false }: { empty?: boolean } = {}): Promise<TestDatabase> {
  const server = await connectToTestServer();
  const name = `test_${randomBytes(6).toString('hex')}`;
  // Copying the files took 15 ms where writing the copy to the log (the default) took 100 ms.
  const source = empty ? 'template1' : TEMPLATE;
  await asSuperuser(
    server,
    `CREATE DATABASE ${name} OWNER calculaud_owner TEMPLATE ${source} STRATEGY file_copy`,
  );
  const pool = new Pool({ connectionString: server.connectionString('owner', name), max: 10 });
  // A connection that is about to close when the database is dropped by force; it must not fail the test file.
  pool.on('error', () => undefined);
  return {
    name,
    url: (role) => server.connectionString(role, name),
    superuserUrl: () => server.superuserConnectionString(name),
    pool,
    drop: async () => {
      await pool.end();
      await asSuperuser(server, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function connectToTestServer(): Promise<EmbeddedConnection> {
  const directory = inject('testServerDirectory');
  const server = await connectEmbedded(directory);
  if (server === undefined) throw new Error(`The database server of the tests in ${directory} does not run.`);
  return server;
}

async function asSuperuser(server: EmbeddedConnection, statement: string): Promise<void> {
  const client = new Client({ connectionString: server.superuserConnectionString('postgres') });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
