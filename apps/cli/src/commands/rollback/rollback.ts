import { z } from 'zod';
import type { Run } from '../../command.ts';
import { changeOptions } from '../../deployment/flags.ts';
import { observe } from '../../deployment/observe.ts';
import { planRollback } from '../../deployment/plan.ts';
import { newPlanId } from '../../deployment/plan-id.ts';
import { releaseOf } from '../../deployment/release-store.ts';
import { confirmAndCarryOut, endUnfinished, withCluster, withDeployment } from '../../deployment/session.ts';
import { asRefusal } from '../options.ts';

export const run: Run = async ({ terminal, options: typed }) => {
  const { wait, yes, ...choice } = asRefusal(z.object(changeOptions), typed);
  return withCluster(choice, async (cluster) =>
    withDeployment({ command: 'rollback', wait, terminal, cluster }, async (lease, signal) => {
      await endUnfinished(lease, cluster, terminal);
      const observed = await observe(cluster, releaseOf(lease.record()), signal);
      const plan = planRollback(
        { config: cluster.config, command: 'rollback', id: newPlanId(new Date()) },
        observed,
      );
      return confirmAndCarryOut(lease, cluster, plan, { terminal, yes });
    }),
  );
};
