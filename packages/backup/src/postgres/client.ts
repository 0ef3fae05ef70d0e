import pg from 'pg';

/** A connection for as long as the work lasts. */
export async function withClient<T>(
  connectionString: string,
  application: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString, application_name: application });
  // One that breaks fails the query in progress; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
