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
import { type Account, own } from './account.ts';
import type { Binaries } from './binaries.ts';
import { EmbeddedPostgresError, messageOf } from './failure.ts';
import { syncDirectory } from './files.ts';
import type { Layout } from './layout.ts';
import { passwordOf } from './passwords.ts';
import { SUPERUSER } from './roles.ts';
import { type Durability, SETTINGS_FILE, settingsText } from './settings.ts';

const run = promisify(execFile);

/** Creates the cluster if there is none; true when it did. */
export async function ensureCluster(
  layout: Layout,
  binaries: Binaries,
  account: Account,
  secret: string,
  durability: Durability,
): Promise<boolean> {
  if (existsSync(layout.cluster)) {
    assertUsable(layout, binaries);
    return false;
  }
  // A start that was killed in the middle of initdb leaves an unfinished folder, of which nothing is worth keeping.
  rmSync(layout.unfinishedCluster, { recursive: true, force: true });
  mkdirSync(layout.unfinishedCluster, { mode: 0o700 });
  own(layout.unfinishedCluster, account);
  await initdb(layout, binaries, account, secret, durability);
  appendFileSync(join(layout.unfinishedCluster, 'postgresql.conf'), `\ninclude '${SETTINGS_FILE}'\n`);
  writeSettings(layout.unfinishedCluster, account, durability);
  renameSync(layout.unfinishedCluster, layout.cluster);
  if (durability === 'full') syncDirectory(layout.dataDirectory);
  return true;
}

export function writeSettings(cluster: string, account: Account, durability: Durability): void {
  const path = join(cluster, SETTINGS_FILE);
  writeFileSync(path, settingsText(durability), { mode: 0o600 });
  own(path, account);
}

async function initdb(
  layout: Layout,
  { initdb: program, environment }: Binaries,
  account: Account,
  secret: string,
  durability: Durability,
): Promise<void> {
  const passwordFile = join(layout.run, 'initdb-password');
  writeFileSync(passwordFile, passwordOf(secret, SUPERUSER), { mode: 0o600 });
  own(passwordFile, account);
  try {
    await run(
      program,
      [
        ...['--pgdata', layout.unfinishedCluster, '--username', SUPERUSER, '--pwfile', passwordFile],
        ...['--data-checksums', '--encoding', 'UTF8', '--auth', 'scram-sha-256'],
        // The built-in collation is the same in every build and image, so data folders can move between them.
        ...['--locale', 'C', '--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'],
        ...(durability === 'none' ? ['--no-sync'] : []),
      ],
      { uid: account.uid, gid: account.gid, cwd: layout.unfinishedCluster, env: environment },
    );
  } catch (error) {
    rmSync(layout.unfinishedCluster, { recursive: true, force: true });
    throw new EmbeddedPostgresError(
      `The database could not be created in ${layout.cluster}. PostgreSQL's initdb says:\n${messageOf(error)}\n` +
        'Most often the disk is full or the folder is on a file system without Unix permissions.',
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

function assertUsable({ cluster }: Layout, binaries: Binaries): void {
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
