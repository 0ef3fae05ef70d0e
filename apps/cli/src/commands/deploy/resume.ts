import { z } from 'zod';
import type { Run } from '../../command.ts';
import { carryOut } from '../../deployment/carry-out.ts';
import { changeOptions } from '../../deployment/flags.ts';
import { ended, withCluster, withDeployment } from '../../deployment/session.ts';
import { nothingUnfinished } from './unfinished.ts';
import { asRefusal } from '../options.ts';

export const run: Run = async ({ terminal, options: typed }) => {
  const { wait, ...choice } = asRefusal(z.object(changeOptions), typed);
  return withCluster(choice, async (cluster) =>
    withDeployment({ command: 'deploy resume', wait, terminal, cluster }, async (lease) => {
      if (!lease.record().journal) return nothingUnfinished(terminal);
      return ended(await carryOut(lease, cluster, terminal), terminal);
    }),
  );
};
