import { confirmKit, isKitWaiting, kitFile } from '@calculaud/backup/service/repositories';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { backupSettings } from '../../host/backups.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';

const options = z.object({ yes: z.boolean().default(false) });

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { yes } = options.parse(typed);
  const settings = backupSettings(config());
  if (!isKitWaiting(settings)) {
    terminal.say('No recovery kit waits on this machine.');
    terminal.emit('recovery_kit', { removed: false });
    return EXIT.done;
  }
  await confirm(
    terminal,
    `Is ${kitFile(settings)} kept elsewhere? It is removed from here, and cannot be made again.`,
    yes,
  );
  await confirmKit(settings);
  terminal.say(
    'Removed. Without the kit nobody can read the backups once this machine is gone: keep it well.',
  );
  terminal.emit('recovery_kit', { removed: true });
  return EXIT.done;
};
