import { addDemo, planClearing, refuseSecondDemo } from '@calculaud/server/demo/service';
import { openStorage } from '@calculaud/server/platform/storage';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { withApplicationDatabase } from '../../host/database.ts';
import { CliError } from '../../ui/cli-error.ts';
import { confirm } from '../../ui/confirm.ts';
import { EXIT } from '../../ui/exit-codes.ts';

const options = z.object({ yes: z.boolean().default(false) });

export const run: Run = async ({ terminal, config, options: typed }) => {
  const { yes } = options.parse(typed);
  const settings = config();
  return withApplicationDatabase(settings, terminal, async (db) => {
    await refuseSecondDemo(db);
    terminal.say(
      '+ the demonstration: an organisation with suppliers and services, and 300 purposes of two years',
    );
    await confirm(terminal, 'Add it beside what is in this database?', yes);
    await addDemo({ config: settings, db, storage: await openStorage(settings.files.store) }, new Date());

    const { going: added } = await planClearing(db);
    if (added.purpose === 0) {
      throw new CliError(
        'The demonstration was added, but the database does not show it.',
        'Look at `calculaud demo clear --plan`.',
        EXIT.unverified,
      );
    }
    terminal.say(`Added, and verified: ${added.purpose} purposes. \`calculaud demo clear\` removes them.`);
    terminal.emit('demo_added', { added });
    return EXIT.done;
  });
};
