import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { chooseAccount, prepareForAccount } from './account.ts';
import { prepareBinaries } from './binaries.ts';
import { ensureCluster, writeSettings } from './cluster.ts';
import { codeOf, EmbeddedPostgresError, messageOf } from './failure.ts';
import { connectAsSuperuser, connectionStringOf } from './identity.ts';
import { layoutOf, prepareDataDirectory } from './layout.ts';
import { lockDataDirectory } from './lock.ts';
import { createSecretIfMissing, passwordOf, readSecret } from './passwords.ts';
import { livingPostmaster } from './postmaster-file.ts';
import {
  DATABASE,
  type DatabaseRole,
  ensureDatabase,
  ensureExtensions,
  ensureRoles,
  roleName,
  SUPERUSER,
} from './roles.ts';
import {
  adoptServer,
  type FoundServer,
  findServer,
  type Server,
  type ServerContext,
  startServer,
  stopServer,
} from './server.ts';
import { keepLogSmall, lastLines } from './server-log.ts';
import type { Durability } from './settings.ts';

export interface EmbeddedConnection {
  /** The connection string of a role (over the Unix socket), for `pg`, Kysely and graphile-worker alike. */
  connectionString(role: DatabaseRole, database?: string): string;
  /** For tests and restores, which create and drop databases. The application never gets this one. */
  superuserConnectionString(database?: string): string;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly pid: number;
}

export interface EmbeddedPostgres extends EmbeddedConnection {
  /** Resolves, with the reason for people, when the server ends without `stop()`. */
  readonly onExit: Promise<string>;
  /** Ends the server at once (open connections are closed, nothing committed is lost) and frees the data folder. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** CALCULAUD_DATA; the cluster lies in its folder `postgres`. */
  readonly dataDirectory: string;
  readonly log?: (message: string) => void;
  /** 'none' is for tests: a crash of the machine may lose everything. */
  readonly durability?: Durability;
}

/**
 * Starts the PostgreSQL server of a data folder, creating everything that is missing, or adopts the one that a killed
 * process left behind. One process at a time may hold a data folder.
 */
export async function startEmbeddedPostgres(options: StartOptions): Promise<EmbeddedPostgres> {
  const { log = () => undefined, durability = 'full' } = options;
  if (process.platform === 'win32') {
    throw new EmbeddedPostgresError(
      'The embedded database does not run on Windows. Use WSL, or set DATABASE_URL to a PostgreSQL server of your own.',
    );
  }
  const layout = prepareDataDirectory(options.dataDirectory);
  const lock = lockDataDirectory(layout.run);
  try {
    const account = chooseAccount(layout);
    prepareForAccount(layout, account);
    const binaries = prepareBinaries(layout.run, account);
    const secret = createSecretIfMissing(layout.secret);
    const context: ServerContext = { layout, binaries, account, log };

    if (await ensureCluster(layout, binaries, account, secret, durability)) log('Created a new database.');
    const server = (await adopt(context, secret)) ?? (await start(context, durability));
    await ensureContents(context, server, secret);

    const logKeeper = keepLogSmall(layout.log);
    let stopping: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      clearInterval(logKeeper);
      await stopServer(context, server.ended);
      lock.release();
    };
    return {
      ...connectionOf(layout.dataDirectory, server, secret),
      onExit: new Promise((resolveExit) => {
        void server.ended.then(() => {
          if (stopping === undefined) {
            resolveExit(
              `The database server ended unexpectedly. Its log ends with:\n${lastLines(layout.log)}`,
            );
          }
        });
      }),
      stop: () => (stopping ??= stop()),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * For commands beside the running system: the connection of the server that runs on this data folder, undefined when none
 * does.
 */
export async function connectEmbedded(dataDirectory: string): Promise<EmbeddedConnection | undefined> {
  const path = resolve(dataDirectory);
  if (!existsSync(path)) return undefined;
  const layout = layoutOf(realpathSync(path));
  let server: FoundServer | undefined;
  try {
    server = await findServer(layout, () => undefined);
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error;
    throw new EmbeddedPostgresError(
      `You may not read the database folder ${layout.cluster}. Run the command as the user that started Calculaud.`,
    );
  }
  if (server === undefined) return undefined;
  const secret = readSecret(layout.secret);
  const superuser = await connectAsSuperuser({ ...server, cluster: layout.cluster, secret });
  await superuser.end();
  return connectionOf(layout.dataDirectory, server, secret);
}

/** Takes over the server that a killed process left running, if it answers as ours; else ends it. */
async function adopt(context: ServerContext, secret: string): Promise<Server | undefined> {
  const { layout, log } = context;
  if (livingPostmaster(layout.cluster) === undefined) return undefined;
  const found = await findServer(layout, log);
  if (found === undefined) return undefined;
  const server = adoptServer(layout, found);
  try {
    const superuser = await connectAsSuperuser({ ...server, cluster: layout.cluster, secret });
    await superuser.end();
    log(`Took over the database server that was left running (process ${server.pid}).`);
    return server;
  } catch (error) {
    log(
      `The database server that was left running (process ${server.pid}) is restarted: ${messageOf(error)}`,
    );
    await stopServer(context, server.ended);
    return undefined;
  }
}

async function start(context: ServerContext, durability: Durability): Promise<Server> {
  writeSettings(context.layout.cluster, context.account, durability);
  return startServer(context);
}

async function ensureContents({ layout }: ServerContext, server: Server, secret: string): Promise<void> {
  const target = { ...server, cluster: layout.cluster, secret };
  const superuser = await connectAsSuperuser(target);
  let created: boolean;
  try {
    await ensureRoles(superuser, secret);
    created = await ensureDatabase(superuser);
  } finally {
    await superuser.end();
  }
  if (!created) return;
  const inDatabase = await connectAsSuperuser(target, DATABASE);
  try {
    await ensureExtensions(inDatabase);
  } finally {
    await inDatabase.end();
  }
}

function connectionOf(
  dataDirectory: string,
  { pid, socketDirectory }: FoundServer,
  secret: string,
): EmbeddedConnection {
  const url = (name: string, database: string): string =>
    connectionStringOf(socketDirectory, name, passwordOf(secret, name), database);
  return {
    dataDirectory,
    socketDirectory,
    pid,
    connectionString: (role, database = DATABASE) => url(roleName(role), database),
    superuserConnectionString: (database = DATABASE) => url(SUPERUSER, database),
  };
}
