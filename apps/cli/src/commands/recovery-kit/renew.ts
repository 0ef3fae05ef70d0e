import { renewKit } from '@calculaud/backup/service/repositories';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { backupSettings } from '../../host/backups.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { withProblemsTold } from '../export/problem.ts';

const options = z.object({ yes: z.boolean().default(false) });

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { yes } = options.parse(typed);
  const settings = backupSettings(config());
  terminal.say(`~ a new recovery kit for ${settings.repositories.join(', ')}`);
  terminal.say('- the kit of before opens them no longer');
  await confirm(terminal, 'Make a new kit?', yes);
  const file = await withProblemsTold(async () => renewKit(settings));
  terminal.say(`Print ${file} and keep it elsewhere, then type: calculaud recovery-kit confirm`);
  terminal.emit('recovery_kit', { file });
  return EXIT.done;
};
