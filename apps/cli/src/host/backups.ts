import type { OpenedRepository } from '@calculaud/backup/repository/open-repository';
import { readKit } from '@calculaud/backup/repository/recovery-kit';
import {
  type BackupSettings,
  findRepositories,
  openRepositoriesWithKit,
} from '@calculaud/backup/service/repositories';
import type { Config } from '@calculaud/config/config';
import { existsSync, readFileSync } from 'node:fs';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Terminal } from '../ui/terminal.ts';

export function backupSettings({ app, backup }: Config): BackupSettings {
  return { organisation: app.name, appVersion: app.version, ...backup };
}

interface Access {
  /** A file with the secret key of the recovery kit, where the keys of the server are gone. */
  readonly kit?: string | undefined;
  /** Only this repository. */
  readonly from?: string | undefined;
}

/** Gives the work the repositories that can be used, and says which ones cannot. */
export async function withRepositories<T>(
  config: Config,
  terminal: Terminal,
  { kit, from }: Access,
  work: (repositories: readonly [OpenedRepository, ...OpenedRepository[]]) => Promise<T>,
): Promise<T> {
  const all = backupSettings(config);
  const settings = from === undefined ? all : { ...all, repositories: [from] };
  if (kit === undefined && !existsSync(settings.keys)) {
    throw new CliError(
      `There are no keys of backups in ${settings.keys}.`,
      'Start the system once (npm start), name the file in CALCULAUD_BACKUP_KEYS, or give the recovery kit (--kit <file>).',
      EXIT.refused,
    );
  }
  const opened =
    kit === undefined
      ? await findRepositories(settings)
      : await openRepositoriesWithKit(settings, readKit(readFileSync(kit, 'utf8'), kit));
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
    return await work([first, ...others]);
  } finally {
    await opened.close();
  }
}
