import type { AttachedFault } from '@calculaud/backup/attached/copy';
import { restoreAttached } from '@calculaud/backup/attached/restore';
import { type Restored, restoreCluster, routesTo } from '@calculaud/backup/engine/restore';
import { describeTarget, parseTarget } from '@calculaud/backup/engine/target';
import { writeKeyRing } from '@calculaud/backup/repository/keyring';
import type { OpenedRepository } from '@calculaud/backup/repository/open-repository';
import { spoolOf } from '@calculaud/backup/service/run';
import type { Config } from '@calculaud/config/config';
import { replaceCluster } from '@calculaud/embedded/replace';
import { connectEmbedded } from '@calculaud/embedded/supervisor';
import { openStorage } from '@calculaud/server/platform/storage';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { backupSettings, withRepositories } from '../../host/backups.ts';
import { CliError } from '../../ui/cli-error.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import type { Terminal } from '../../ui/terminal.ts';
import { restoreByPgBackRest } from './by-pgbackrest.ts';

const options = z.object({
  to: z.string().optional(),
  into: z.string().optional(),
  from: z.string().optional(),
  kit: z.string().optional(),
  dryRun: z.boolean().default(false),
  yes: z.boolean().default(false),
});

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { to, into, from, kit, dryRun, yes } = options.parse(typed);
  if (to === undefined) {
    throw new CliError(
      'A restore needs a moment to go back to.',
      'Name it: --to latest, --to 2026-12-01T09:30:00Z, or --to <id of a backup>.',
      EXIT.refused,
    );
  }
  const target = parseTarget(to);
  const settings = config();
  if (settings.backup.engine === 'pgbackrest') {
    return restoreByPgBackRest(terminal, settings, { target, into, from, kit, dryRun, yes });
  }
  const dataFolder = into === undefined ? settings.data.directory : resolve(into);
  await assertFree(settings, dataFolder, into);
  return withRepositories(settings, terminal, { kit, from }, async ([repository]) => {
    const local = spoolOf(backupSettings(settings));
    const spool = existsSync(local) ? local : undefined;
    const [{ base, branch }] = await routesTo(repository, target, spool);
    const replaces = existsSync(join(dataFolder, 'postgres'));
    const line = dryRun ? terminal.print : terminal.say;
    line(`~ database of ${dataFolder}: as it was at ${describeTarget(target)}`);
    line(`= from the backup ${base.id} (${base.finishedAt}) in ${repository.address}, and the log after it`);
    if (branch.timeline !== base.timeline)
      line(`= over what an earlier restore began (timeline ${branch.timeline})`);
    if (replaces) line('= the database that is there now is kept beside it');
    terminal.emit('plan', {
      target: describeTarget(target),
      base: base.id,
      repository: repository.address,
      dataFolder,
      replaces,
    });
    if (dryRun) return EXIT.findings;
    await confirm(terminal, 'Restore it?', yes);

    const begin = performance.now();
    const building = join(dataFolder, `restoring-${base.id}`);
    rmSync(building, { recursive: true, force: true });
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
    const restored = await restoreCluster({
      repository,
      target,
      directory: building,
      ...(spool !== undefined && { spool }),
      signal: new AbortController().signal,
      onProgress: phases(terminal),
    });
    let missing: readonly AttachedFault[];
    try {
      missing = await bringFiles(settings, repository, restored, into);
    } finally {
      await restored.server.stop();
    }
    const before = await replaceCluster(dataFolder, join(building, 'postgres'));
    rmSync(building, { recursive: true, force: true });
    if (kit !== undefined && into === undefined && !existsSync(settings.backup.keys)) {
      await writeKeyRing(settings.backup.keys, repository.keyring);
    }
    const seconds = (performance.now() - begin) / 1000;
    terminal.say(`Restored in ${seconds.toFixed(1)} s: ${restored.reached}.`);
    if (restored.lastCommit !== null) terminal.say(`The last transaction in it: ${restored.lastCommit}.`);
    if (before !== undefined)
      terminal.say(
        `The database of before: ${before}. Bring it back with calculaud restore undo, or remove it when nobody needs it any more.`,
      );
    for (const { filename, words } of missing) terminal.say(`! the file ${filename} ${words}`);
    terminal.emit('restored', {
      reached: restored.reached,
      lsn: restored.lsn,
      lastCommit: restored.lastCommit,
      phases: restored.phases,
      seconds,
      before: before ?? null,
      missing,
    });
    return missing.length > 0 ? EXIT.findings : EXIT.done;
  });
};

export async function assertFree(
  config: Config,
  dataFolder: string,
  into: string | undefined,
): Promise<void> {
  if (config.database.url !== undefined && into === undefined) {
    throw new CliError(
      'The database is a server of its own (DATABASE_URL), and only a folder can be restored into.',
      'Name one: --into <folder>, and start the server on it, or move the data by an export.',
      EXIT.refused,
    );
  }
  if (await connectEmbedded(dataFolder)) {
    throw new CliError(
      `The system runs on ${dataFolder}. Nothing was changed.`,
      'Stop it first, or restore beside it: --into <folder>.',
      EXIT.refused,
    );
  }
}

/** What users attached, where the object store lacks it. Beside the live system its store is the right one, and is left alone. */
async function bringFiles(
  config: Config,
  repository: OpenedRepository,
  { server }: Restored,
  into: string | undefined,
) {
  const local = config.files.store.kind === 'local';
  const storage = await openStorage(
    local && into !== undefined
      ? { kind: 'local', directory: join(resolve(into), 'files') }
      : config.files.store,
  );
  return restoreAttached({
    repository,
    connectionString: server.superuserConnectionString('calculaud'),
    has: async (key) => {
      const found = await storage.open(key);
      found?.stream.destroy();
      return found !== undefined;
    },
    put: async (key, content) => storage.put(key, content, { contentDisposition: 'attachment' }),
  });
}

function phases(terminal: Terminal): (progress: { phase: string; done: number; total: number }) => void {
  let told = '';
  return ({ phase, done, total }) => {
    if (phase === told) return;
    told = phase;
    terminal.say(`  ${phase} …`);
    terminal.emit('phase', { phase, done, total });
  };
}
