import { z } from 'zod';
import type { Run } from '../../command.ts';
import { carryOut } from '../../deployment/carry-out.ts';
import { changeOptions } from '../../deployment/flags.ts';
import { turnToUndo } from '../../deployment/journal-store.ts';
import { ended, withCluster, withDeployment } from '../../deployment/session.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { nothingUnfinished } from './unfinished.ts';
import { asRefusal } from '../options.ts';

export const run: Run = async ({ terminal, options: typed }) => {
  const { wait, ...choice } = asRefusal(z.object(changeOptions), typed);
  return withCluster(choice, async (cluster) =>
    withDeployment({ command: 'deploy abort', wait, terminal, cluster }, async (lease) => {
      if (!lease.record().journal) return nothingUnfinished(terminal);
      await turnToUndo(lease, 'aborted by `calculaud deploy abort`');
      ended(await carryOut(lease, cluster, terminal), terminal);
      // That it is rolled back is what was asked for.
      return EXIT.done;
    }),
  );
};
