import pg from 'pg';

/**
 * Brings the tables of the job queue, in their schema `graphile_worker`, to the state that its library needs. The
 * owner of the database does it, so that workers need no right to change tables.
 */
export async function migrateJobQueue(connectionString: string, lockTimeoutMs: number): Promise<void> {
  // Loaded here and not at the start: most of what uses this package never migrates.
  const { Logger, runMigrations } = await import('graphile-worker');
  const pool = new pg.Pool({
    connectionString,
    max: 1,
    application_name: 'calculaud db',
    lock_timeout: lockTimeoutMs,
  });
  // A connection that breaks fails the query in progress; without listeners it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  try {
    await runMigrations({ pgPool: pool, logger: new Logger(() => () => undefined) });
  } finally {
    await pool.end();
  }
}
