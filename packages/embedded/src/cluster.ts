import { execFile } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Account, commandOf, own } from './account.ts';
import { diskAdvice, EmbeddedPostgresError, failureOutput } from './failure.ts';
import { syncDirectory } from './files.ts';
import { passwordOf } from './passwords.ts';
import { SUPERUSER } from './roles.ts';
import type { ServerContext } from './server.ts';
import { type Durability, SETTINGS_FILE } from './settings.ts';

const run = promisify(execFile);

/** Creates the cluster if there is none; true when it did. */
export async function ensureCluster(
  context: ServerContext,
  secret: string,
  durability: Durability,
): Promise<boolean> {
  const { layout, account } = context;
  if (existsSync(layout.cluster)) {
    assertUsable(context);
    return false;
  }
  // A start that was killed in the middle of initdb leaves an unfinished folder, of which nothing is worth keeping.
  rmSync(layout.unfinishedCluster, { recursive: true, force: true });
  mkdirSync(layout.unfinishedCluster, { mode: 0o700 });
  own(layout.unfinishedCluster, account);
  await initdb(context, secret, durability);
  appendFileSync(join(layout.unfinishedCluster, 'postgresql.conf'), `\ninclude '${SETTINGS_FILE}'\n`);
  renameSync(layout.unfinishedCluster, layout.cluster);
  if (durability === 'full') syncDirectory(layout.dataDirectory);
  return true;
}

export function writeSettings(cluster: string, account: Account, settings: string): void {
  const path = join(cluster, SETTINGS_FILE);
  writeFileSync(path, settings, { mode: 0o600 });
  own(path, account);
}

/** The settings of the last start; undefined when there was none. */
export function readSettings(cluster: string): string | undefined {
  const path = join(cluster, SETTINGS_FILE);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

async function initdb(
  { layout, binaries, account }: ServerContext,
  secret: string,
  durability: Durability,
): Promise<void> {
  const cluster = layout.unfinishedCluster;
  const passwordFile = join(layout.run, 'initdb-password');
  writeFileSync(passwordFile, passwordOf(secret, SUPERUSER), { mode: 0o600 });
  own(passwordFile, account);
  const [program, args] = commandOf(account, binaries.initdb, [
    `--pgdata=${cluster}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--data-checksums',
    '--encoding=UTF8',
    // The built-in collation is the same in every build and image, so data folders can move between them.
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    ...(durability === 'none' ? ['--no-sync'] : []),
  ]);
  try {
    await run(program, args, { uid: account.uid, gid: account.gid, cwd: cluster, env: binaries.environment });
  } catch (error) {
    rmSync(cluster, { recursive: true, force: true });
    const said = failureOutput(error);
    throw new EmbeddedPostgresError(
      `The database could not be created in ${layout.cluster}. PostgreSQL's initdb says:\n${said}\n${initdbAdvice(said)}`,
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

function initdbAdvice(said: string): string {
  if (said.includes('could not look up effective user ID')) {
    return 'The user that runs Calculaud needs a line in /etc/passwd; in a container, use the user of the image.';
  }
  return (
    diskAdvice(said) ??
    'Is the data folder on a file system with Unix permissions? Try another CALCULAUD_DATA.'
  );
}

function assertUsable({ layout: { cluster }, binaries }: ServerContext): void {
  const versionFile = join(cluster, 'PG_VERSION');
  if (!existsSync(versionFile)) {
    throw new EmbeddedPostgresError(
      `${cluster} exists but is not a PostgreSQL database (PG_VERSION is missing). Nothing was changed. ` +
        'Move the folder away, or restore the database from a backup.',
    );
  }
  const major = readFileSync(versionFile, 'utf8').trim();
  const ours = binaries.version.split('.')[0];
  if (major !== ours) {
    throw new EmbeddedPostgresError(
      `The database in ${cluster} was made by PostgreSQL ${major}, and this Calculaud brings PostgreSQL ${ours}. ` +
        `Nothing was changed. Start it with the Calculaud version that made it, and move the data by an export.`,
    );
  }
}
