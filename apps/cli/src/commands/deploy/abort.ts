import { z } from 'zod';
import type { Run } from '../../command.ts';
import { carryOut } from '../../deployment/carry-out.ts';
import { changeOptions } from '../../deployment/flags.ts';
import { findPlan, finishJournal, turnToUndo } from '../../deployment/journal-store.ts';
import { ended, withCluster, withDeployment } from '../../deployment/session.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { nothingUnfinished } from './unfinished.ts';
import { asRefusal } from '../options.ts';

export const run: Run = async ({ terminal, options: typed }) => {
  const { wait, ...choice } = asRefusal(z.object(changeOptions), typed);
  return withCluster(choice, async (cluster) =>
    withDeployment({ command: 'deploy abort', wait, terminal, cluster }, async (lease) => {
      const { journal } = lease.record();
      if (!journal) return nothingUnfinished(terminal);
      if (!(await findPlan(lease.register, journal))) {
        const { n } = await finishJournal(lease, { outcome: 'abandoned', note: 'Its plan was gone.' });
        terminal.say(
          `Closed as abandoned (entry ${n} of the ledger): its plan is gone, so nobody knows what to undo. Look at \`calculaud status\`.`,
        );
        terminal.emit('deployment', { n, outcome: 'abandoned' });
        return EXIT.notRolledBack;
      }
      await turnToUndo(lease, 'aborted by `calculaud deploy abort`');
      ended(await carryOut(lease, cluster, terminal), terminal);
      // That it is rolled back is what was asked for.
      return EXIT.done;
    }),
  );
};
