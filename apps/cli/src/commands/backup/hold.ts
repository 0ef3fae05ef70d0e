import { heldBackups, recordHold } from '@calculaud/backup/retention/holds';
import { userInfo } from 'node:os';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withRepositories } from '../../host/backups.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';

const options = z.object({ from: z.string().optional(), why: z.string().trim().min(1) });

export const run: Run = async (context) => changeHold(context, true);

/** In every repository that has the backup: what one loses, the others would not have either. */
export async function changeHold(
  { terminal, config, options: typed, arguments: [id = ''] }: Parameters<Run>[0],
  held: boolean,
): Promise<number> {
  const { from, why } = options.parse(typed);
  return withRepositories(config(), terminal, { from }, async (repositories) => {
    let found = 0;
    for (const repository of repositories) {
      const isHeld = (await heldBackups(repository)).has(id);
      if (held ? !(await repository.getManifest(id)) : !isHeld) continue;
      found += 1;
      await recordHold(repository, { backup: id, held, who: userInfo().username, why });
      terminal.emit(held ? 'held' : 'released', { repository: repository.address, id, why });
      terminal.say(
        held
          ? `${id} stays in ${repository.address} until it is released, with the log and the files it needs.`
          : `${id} of ${repository.address} is kept no longer than other backups.`,
      );
    }
    if (found > 0) return EXIT.done;
    throw new CliError(
      held ? `No repository has a backup ${id}.` : `No repository holds the backup ${id}.`,
      'Look at `calculaud backup list`.',
      EXIT.refused,
    );
  });
}
