import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { prepareAccount } from './account.ts';
import { prepareBinaries } from './binaries.ts';
import { ensureCluster, readSettings, writeSettings } from './cluster.ts';
import { codeOf, EmbeddedPostgresError, explained, messageOf } from './failure.ts';
import { connectAsSuperuser, connectionStringOf, type SuperuserTarget } from './identity.ts';
import { type Layout, layoutOf, prepareDataDirectory } from './layout.ts';
import { type DataLock, lockDataDirectory } from './lock.ts';
import { createSecretIfMissing, passwordOf, readSecret } from './passwords.ts';
import { finishReplacement } from './replace.ts';
import { resetPasswords } from './reset-passwords.ts';
import {
  DATABASE,
  type DatabaseRole,
  ensureBackupRights,
  ensureCommitsWait,
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
import { type Durability, settingsText } from './settings.ts';
import { removeSocketDirectory } from './socket-directory.ts';

const WRONG_PASSWORD = '28P01';

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
  /** Commits of users wait until whoever receives the log (slot `calculaud_wal`) has them on its disk. */
  readonly synchronous?: boolean;
}

/**
 * Starts the PostgreSQL server of a data folder, creating everything that is missing, or adopts the one that a killed
 * process left behind. One process at a time may hold a data folder.
 */
export async function startEmbeddedPostgres(options: StartOptions): Promise<EmbeddedPostgres> {
  if (process.platform === 'win32') {
    throw new EmbeddedPostgresError(
      'The embedded database does not run on Windows. Use WSL, or set DATABASE_URL to a PostgreSQL server of your own.',
    );
  }
  const layout = prepareDataDirectory(options.dataDirectory);
  let lock: DataLock | undefined;
  try {
    lock = await lockDataDirectory(layout.run);
    return await startLocked(layout, lock, options);
  } catch (error) {
    lock?.release();
    throw explained(error, layout.dataDirectory);
  }
}

async function startLocked(
  layout: Layout,
  lock: DataLock,
  { log = () => undefined, durability = 'full', synchronous = false }: StartOptions,
): Promise<EmbeddedPostgres> {
  const account = prepareAccount(layout);
  const binaries = prepareBinaries(layout.run, account);
  const context: ServerContext = { layout, binaries, account, log };
  const settings = settingsText(durability, binaries.version, synchronous);
  const secret = createSecretIfMissing(layout.secret);

  finishReplacement(layout);
  if (await ensureCluster(context, secret, durability)) log('Created a new database cluster.');
  const adopted = await adopt(context, secret, settings);
  if (adopted === undefined) writeSettings(layout.cluster, account, settings);
  const started = adopted ?? (await startServer(context));
  const server = await withContents(context, started, { secret, synchronous });

  const logKeeper = keepLogSmall(layout.log);
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    clearInterval(logKeeper);
    await stopServer(context, server.ended);
    removeSocketDirectory(server.socketDirectory);
    lock.release();
  };
  return {
    ...connectionOf(layout.dataDirectory, server, secret),
    onExit: new Promise((resolveExit) => {
      void server.ended.then(() => {
        if (stopped !== undefined) return;
        resolveExit(`The database server ended unexpectedly. Its log ends with:\n${lastLines(layout.log)}`);
      });
    }),
    stop: () => (stopped ??= stop()),
  };
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
  try {
    const superuser = await connectAsSuperuser({ ...server, cluster: layout.cluster, secret });
    await superuser.end();
  } catch (error) {
    if (codeOf(error) !== WRONG_PASSWORD) throw error;
    throw new EmbeddedPostgresError(
      `The secret in ${layout.secret} does not fit the running database. Restart Calculaud: it sets the passwords anew.`,
    );
  }
  return connectionOf(layout.dataDirectory, server, secret);
}

/** Takes over the server that a killed process left running, if it answers as ours; else ends it. */
async function adopt(context: ServerContext, secret: string, settings: string): Promise<Server | undefined> {
  const { layout, log } = context;
  const found = await findServer(layout, log);
  if (found === undefined) return undefined;
  const server = adoptServer(layout, found);
  const objection = await objectionTo(server, layout.cluster, secret, settings);
  if (objection === undefined) {
    log(`Took over the database server that was left running (process ${server.pid}).`);
    return server;
  }
  log(`The database server that was left running (process ${server.pid}) is restarted: ${objection}`);
  await stopServer(context, server.ended);
  return undefined;
}

async function objectionTo(
  server: Server,
  cluster: string,
  secret: string,
  settings: string,
): Promise<string | undefined> {
  if (readSettings(cluster) !== settings) return 'it was started with other settings.';
  try {
    const superuser = await connectAsSuperuser({ ...server, cluster, secret });
    await superuser.end();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Makes sure that the server has our roles and database; restarts it if its passwords must be reset for that. */
async function withContents(
  context: ServerContext,
  server: Server,
  { secret, synchronous }: { readonly secret: string; readonly synchronous: boolean },
): Promise<Server> {
  const target = { ...server, cluster: context.layout.cluster, secret };
  try {
    await ensureContents(target, synchronous);
    return server;
  } catch (error) {
    await stopServer(context, server.ended);
    if (codeOf(error) !== WRONG_PASSWORD) throw error;
  }
  context.log(`The passwords are set anew: they were not made from the secret in ${context.layout.secret}.`);
  await resetPasswords(context, secret);
  const restarted = await startServer(context);
  try {
    await ensureContents({ ...target, ...restarted }, synchronous);
    return restarted;
  } catch (error) {
    await stopServer(context, restarted.ended);
    throw error;
  }
}

async function ensureContents(target: SuperuserTarget, synchronous: boolean): Promise<void> {
  const superuser = await connectAsSuperuser(target);
  try {
    await ensureRoles(superuser, target.secret);
    await ensureCommitsWait(superuser, synchronous);
    await ensureDatabase(superuser);
  } finally {
    await superuser.end();
  }
  const inDatabase = await connectAsSuperuser(target, DATABASE);
  try {
    await ensureExtensions(inDatabase);
    await ensureBackupRights(inDatabase);
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
