import { replacedClusters, undoRestore } from '@calculaud/backup/engine/undo';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { CliError } from '../../ui/cli-error.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { assertFree } from './restore.ts';

const options = z.object({ dryRun: z.boolean().default(false), yes: z.boolean().default(false) });

export const run: Run = async ({ terminal, config, options: typed, arguments: [wanted] }) => {
  const { dryRun, yes } = options.parse(typed);
  const settings = config();
  const dataFolder = settings.data.directory;
  await assertFree(settings, dataFolder, undefined);
  const replaced = await replacedClusters(dataFolder);
  const name = wanted ?? replaced[0];
  if (name === undefined || !replaced.includes(name)) {
    throw new CliError(
      wanted === undefined
        ? `No restore has replaced a database in ${dataFolder}.`
        : `${dataFolder} holds no ${wanted}.`,
      replaced.length === 0 ? 'There is nothing to undo.' : `There are: ${replaced.join(', ')}.`,
      EXIT.refused,
    );
  }
  const line = dryRun ? terminal.print : terminal.say;
  line(`~ database of ${dataFolder}: ${name}, which a restore has replaced`);
  line('= the database that is there now is kept beside it');
  terminal.emit('plan', { dataFolder, back: name });
  if (dryRun) return EXIT.findings;
  await confirm(terminal, 'Put it back?', yes);
  const kept = await undoRestore(dataFolder, name);
  terminal.say(`${name} is the database again.`);
  if (kept !== undefined)
    terminal.say(`What the restore had made: ${kept}. The same command brings it back.`);
  terminal.emit('undone', { back: name, kept: kept ?? null });
  return EXIT.done;
};
