import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Account, commandOf, own } from './account.ts';
import { codeOf, diskAdvice, EmbeddedPostgresError, failureOutput } from './failure.ts';
import { syncDirectory, writeDurably } from './files.ts';
import { passwordOf } from './passwords.ts';
import { SUPERUSER } from './roles.ts';
import type { ServerContext } from './server.ts';
import { type Durability, SETTINGS_FILE } from './settings.ts';

const run = promisify(execFile);

const UNFINISHED = 'postgres.unfinished-';

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
  removeUnfinished(layout.dataDirectory);
  // Only a finished cluster gets its name. Each attempt has a folder of its own: the initdb of a killed start may still run.
  const unfinished = mkdtempSync(join(layout.dataDirectory, UNFINISHED));
  own(unfinished, account);
  try {
    await initdb(context, unfinished, secret, durability);
    includeSettings(join(unfinished, 'postgresql.conf'));
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  }
  renameSync(unfinished, layout.cluster);
  if (durability === 'full') syncDirectory(layout.dataDirectory);
  return true;
}

function removeUnfinished(dataDirectory: string): void {
  for (const name of readdirSync(dataDirectory).filter((entry) => entry.startsWith(UNFINISHED))) {
    // While an initdb still writes to it, the folder cannot be removed; then a later start does it.
    try {
      rmSync(join(dataDirectory, name), { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    } catch (error) {
      if (codeOf(error) !== 'ENOTEMPTY') throw error;
    }
  }
}

function includeSettings(path: string): void {
  writeDurably(path, `${readFileSync(path, 'utf8')}\ninclude '${SETTINGS_FILE}'\n`, 0o600);
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
  cluster: string,
  secret: string,
  durability: Durability,
): Promise<void> {
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
