import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '@calculaud/config/config';
import { type Database, openDatabase } from '@calculaud/db/database';
import { assertSchemaFits } from '@calculaud/db/schema-fit';
import { connectEmbedded, startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Terminal } from '../ui/terminal.ts';

interface Access {
  /** `owner` may change the schema; `app` is what the application itself may do; `backup` reads all of the server. */
  readonly role: 'owner' | 'app' | 'backup';
  /** Make the embedded database when there is none yet. */
  readonly create?: boolean;
}

/**
 * Gives the work the connection string of the configured database: that of DATABASE_URL, or the embedded one of the
 * data folder. An embedded server that does not run is started for the time of the work.
 */
export async function withDatabase<T>(
  config: Config,
  terminal: Terminal,
  { role, create = false }: Access,
  work: (connectionString: string) => Promise<T>,
): Promise<T> {
  const { url, migrationUrl } = config.database;
  const external = { owner: migrationUrl, app: url, backup: config.backup.databaseUrl }[role];
  if (external !== undefined) return work(external);

  const dataDirectory = config.data.directory;
  const running = await connectEmbedded(dataDirectory);
  if (running) return work(running.connectionString(role));

  if (!create && !existsSync(join(dataDirectory, 'postgres'))) {
    throw new CliError(
      `There is no database in ${dataDirectory} yet.`,
      'Start the system once (npm start), run `calculaud db migrate`, or name another folder in CALCULAUD_DATA.',
      EXIT.refused,
    );
  }
  const embedded = await startEmbeddedPostgres({ dataDirectory, log: terminal.say });
  const interrupted = (): void => {
    void embedded.stop().finally(() => process.exit(EXIT.interrupted));
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    return await work(embedded.connectionString(role));
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
    await embedded.stop();
  }
}

/** The database as the application sees it: with its role, after making sure that its schema is the one this code knows. */
export async function withApplicationDatabase<T>(
  config: Config,
  terminal: Terminal,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  return withDatabase(config, terminal, { role: 'app' }, async (connectionString) => {
    await assertSchemaFits(connectionString);
    const db = openDatabase({
      connectionString,
      poolSize: 1,
      statementTimeoutMs: config.database.statementTimeoutMs,
      applicationName: 'calculaud cli',
    });
    try {
      return await work(db);
    } finally {
      await db.close();
    }
  });
}
