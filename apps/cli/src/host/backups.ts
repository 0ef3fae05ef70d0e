import type { BackupEngine, CreatingEngine } from '@calculaud/backup/engine/backup-engine';
import { nativeEngine } from '@calculaud/backup/engine/native-engine';
import { pgBackRestEngine } from '@calculaud/backup/engine/pgbackrest/engine';
import type { OpenedRepository } from '@calculaud/backup/repository/open-repository';
import { readRecoveryKit } from '@calculaud/backup/repository/recovery-kit';
import {
  type BackupSettings,
  findRepositories,
  type OpenedRepositories,
  openRepositoriesWithKit,
} from '@calculaud/backup/service/repositories';
import type { Config } from '@calculaud/config/config';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Terminal } from '../ui/terminal.ts';

export function backupSettings({ app, backup }: Config): BackupSettings {
  return { appVersion: app.version, ...backup };
}

/** Backups in one place, and our own repository there, which can do more. */
export interface EngineAt {
  readonly engine: BackupEngine;
  readonly repository: OpenedRepository | undefined;
}

/** Gives the work what CALCULAUD_BACKUP_ENGINE names, for each repository. */
export async function withEngines<T>(
  config: Config,
  terminal: Terminal,
  access: Access,
  work: (engines: readonly EngineAt[], about: { readonly complete: boolean }) => Promise<T>,
): Promise<T> {
  if (config.backup.engine === 'pgbackrest') {
    return work([{ engine: pgBackRest(config, access), repository: undefined }], { complete: true });
  }
  return withRepositories(config, terminal, access, async (repositories, about) =>
    work(
      repositories.map((repository) => ({ engine: nativeEngine(repository), repository })),
      about,
    ),
  );
}

/** Its passphrase is no recovery kit's. */
export function pgBackRest({ backup }: Config, { kit, from }: Access): CreatingEngine {
  if (kit !== undefined) {
    throw new CliError(
      'The recovery kit opens native backups, and CALCULAUD_BACKUP_ENGINE is pgbackrest.',
      'Give CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE, or CALCULAUD_BACKUP_ENGINE=native.',
      EXIT.refused,
    );
  }
  const settings = {
    repository: from ?? backup.repositories[0] ?? '',
    passphrase: backup.pgBackRest.passphrase ?? '',
    s3: backup.s3,
    folder: join(backup.workFolder, 'pgbackrest'),
    processes: backup.pgBackRest.processes,
  };
  return pgBackRestEngine(settings, backup.databaseUrl);
}

interface Access {
  /** The file of the recovery kit, where the keys of the server are gone. */
  readonly kit?: string | undefined;
  /** Only this repository. */
  readonly from?: string | undefined;
}

/** Gives the work the repositories that can be used, and says which ones cannot; `complete`: all of them can. */
export async function withRepositories<T>(
  config: Config,
  terminal: Terminal,
  { kit, from }: Access,
  work: (
    repositories: readonly [OpenedRepository, ...OpenedRepository[]],
    about: { readonly complete: boolean },
  ) => Promise<T>,
): Promise<T> {
  const all = backupSettings(config);
  const settings = from === undefined ? all : { ...all, repositories: [from] };
  const opened = kit === undefined ? await openWithKeys(settings) : await openWithKit(settings, kit, from);
  try {
    for (const { problem } of opened.unusable) {
      terminal.say(`! ${problem.message}`);
      terminal.emit('repository_unusable', { problem: problem.message });
    }
    const [first, ...others] = opened.repositories;
    if (!first) {
      const [only] = opened.unusable;
      throw only?.problem ?? new CliError('There is no repository.', '', EXIT.refused);
    }
    return await work([first, ...others], { complete: opened.unusable.length === 0 });
  } finally {
    await opened.close();
  }
}

async function openWithKeys(settings: BackupSettings): Promise<OpenedRepositories> {
  if (existsSync(settings.keys)) return findRepositories(settings);
  throw new CliError(
    `There are no keys of backups in ${settings.keys}.`,
    'Start the system once (npm start), name the file in CALCULAUD_BACKUP_KEYS, or give the recovery kit (--kit <file>).',
    EXIT.refused,
  );
}

/** The kit says where the backups are, unless they were moved. */
async function openWithKit(
  settings: BackupSettings,
  file: string,
  from: string | undefined,
): Promise<OpenedRepositories> {
  const kit = readRecoveryKit(readFileSync(file, 'utf8'));
  const repositories = from === undefined && kit.addresses.length > 0 ? kit.addresses : settings.repositories;
  return openRepositoriesWithKit({ ...settings, repositories }, kit);
}
