import { closeSync, openSync, readSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { passwordOf } from './passwords.ts';
import { SUPERUSER } from './roles.ts';

/** Connection strings of one server, over its Unix socket. */
export function connectionStringOf(
  socketDirectory: string,
  role: string,
  password: string,
  database: string,
): string {
  return (
    `postgresql://${encodeURIComponent(role)}:${encodeURIComponent(password)}@localhost/` +
    `${encodeURIComponent(database)}?host=${encodeURIComponent(socketDirectory)}`
  );
}

export interface SuperuserTarget {
  readonly cluster: string;
  readonly socketDirectory: string;
  readonly secret: string;
}

/** Connects as superuser and makes sure that the server is the one of this cluster before anything else is said to it. */
export async function connectAsSuperuser(
  { cluster, socketDirectory, secret }: SuperuserTarget,
  database = 'postgres',
): Promise<Client> {
  const client = new Client({
    connectionString: connectionStringOf(socketDirectory, SUPERUSER, passwordOf(secret, SUPERUSER), database),
    application_name: 'calculaud supervisor',
    connectionTimeoutMillis: 10_000,
  });
  // A connection that breaks while idle must not end the process; the next query reports it.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await assertIdentity(client, cluster);
    return client;
  } catch (error) {
    await client.end();
    throw error;
  }
}

export class WrongServerError extends Error {
  override readonly name = 'WrongServerError';
}

async function assertIdentity(client: Client, cluster: string): Promise<void> {
  const { rows } = await client.query<{ directory: string; identifier: string }>(
    "SELECT current_setting('data_directory') AS directory, system_identifier::text AS identifier FROM pg_control_system()",
  );
  const answer = rows[0];
  const expected = systemIdentifierOf(cluster);
  if (answer === undefined || answer.identifier !== expected || realpathSync(answer.directory) !== cluster) {
    throw new WrongServerError(
      `The server that answers belongs to ${answer?.directory ?? 'nobody'} (system ${answer?.identifier ?? '?'}), ` +
        `not to ${cluster} (system ${expected}).`,
    );
  }
}

/** The first eight bytes of pg_control, in the machine's own byte order (little-endian on every supported system). */
export function systemIdentifierOf(cluster: string): string {
  const file = openSync(join(cluster, 'global', 'pg_control'), 'r');
  try {
    const bytes = Buffer.alloc(8);
    readSync(file, bytes, 0, 8, 0);
    return bytes.readBigUInt64LE().toString();
  } finally {
    closeSync(file);
  }
}
