import { writeKeyRing } from '@calculaud/backup/repository/keyring';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { backupSettings, withRepositories } from '../../host/backups.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';

const options = z.object({ from: z.string().optional() });

export const run: Run = async ({ terminal, config, options: typed, arguments: [kit = ''] }) => {
  const { from } = options.parse(typed);
  const { keys } = backupSettings(config());
  if (existsSync(keys)) {
    throw new CliError(`There are keys in ${keys} already.`, 'Nothing was changed.', EXIT.refused);
  }
  return withRepositories(config(), terminal, { kit, from }, async ([repository]) => {
    mkdirSync(dirname(keys), { recursive: true, mode: 0o700 });
    await writeKeyRing(keys, repository.keyring);
    terminal.say(`The keys of ${repository.address} are in ${keys}.`);
    terminal.emit('keys', { repository: repository.address, file: keys });
    return EXIT.done;
  });
};
