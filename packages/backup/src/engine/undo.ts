import { chown, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceCluster } from '@calculaud/embedded/replace';
import { startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import { BackupProblem } from '../repository/problem.ts';

const KEPT = /^postgres\.before-\d{8}T\d{6}Z$/;
const SETTINGS = 'postgresql.auto.conf';

/** The databases that restores have replaced, the newest first, as names in the data folder. */
export async function replacedClusters(dataFolder: string): Promise<readonly string[]> {
  const names = await readdir(dataFolder).catch(() => []);
  return names
    .filter((name) => KEPT.test(name))
    .toSorted()
    .toReversed();
}

/**
 * Puts a database that a restore has replaced back in its place; the one that is there is kept in turn, and its path is
 * returned. It goes on with a timeline of its own: two lives must not write under the same names into a repository, and the
 * newest life is the one that the latest moment belongs to.
 */
export async function undoRestore(dataFolder: string, replaced: string): Promise<string | undefined> {
  const back = join(dataFolder, replaced);
  const log = join(back, 'pg_wal');
  const found = await readdir(log).catch(() => undefined);
  if (!found) throw new BackupProblem('missing', `${back} is no database.`, { object: back });

  // The account of the server reads them, and it is not always ours.
  const { uid, gid } = await stat(join(back, 'PG_VERSION'));
  const write = async (name: string, content: string | Buffer) => {
    await writeFile(join(back, name), content, { mode: 0o600 });
    await chown(join(back, name), uid, gid);
  };
  // The number of each timeline that began meanwhile is taken.
  const now = join(dataFolder, 'postgres', 'pg_wal');
  for (const name of await readdir(now).catch(() => [])) {
    if (name.endsWith('.history')) await write(join('pg_wal', name), await readFile(join(now, name)));
  }
  const settings = await readFile(join(back, SETTINGS), 'utf8').catch(() => '');
  // To the end of what it has itself, and on from there.
  const recovery = `restore_command = 'false'\nrecovery_target_timeline = 'current'\nhot_standby = 'off'\n`;
  await write(SETTINGS, `${settings}${recovery}`);
  await write('recovery.signal', '');

  const kept = await replaceCluster(dataFolder, back);
  const server = await startEmbeddedPostgres({ dataDirectory: dataFolder });
  await server.stop();
  const cluster = join(dataFolder, 'postgres');
  await writeFile(join(cluster, SETTINGS), settings, { mode: 0o600 });
  return kept;
}
