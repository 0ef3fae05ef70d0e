import { z } from 'zod';
import type { Run } from '../../command.ts';
import { changeOptions } from '../../deployment/flags.ts';
import { migrationOutlook, observe } from '../../deployment/observe.ts';
import { planFinish } from '../../deployment/plan.ts';
import { newPlanId } from '../../deployment/plan-id.ts';
import { releaseOf } from '../../deployment/release-store.ts';
import { confirmAndCarryOut, endUnfinished, withCluster, withDeployment } from '../../deployment/session.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { asRefusal } from '../options.ts';

export const run: Run = async ({ terminal, options: typed }) => {
  const { wait, yes, ...choice } = asRefusal(z.object(changeOptions), typed);
  return withCluster(choice, async (cluster) =>
    withDeployment({ command: 'deploy finish', wait, terminal, cluster }, async (lease, signal) => {
      await endUnfinished(lease, cluster, terminal);
      const release = releaseOf(lease.record());
      const running = release[release.active];
      if (!running) {
        throw new CliError('Nothing is deployed.', 'Begin with `calculaud deploy`.', EXIT.refused);
      }
      const observed = await observe(cluster, release, signal);
      const outlook = await migrationOutlook(cluster, release, running.image, signal);
      const plan = planFinish(
        { config: cluster.config, command: 'deploy finish', id: newPlanId(new Date()) },
        observed,
        outlook,
      );
      if (plan) return confirmAndCarryOut(lease, cluster, plan, { terminal, yes });
      terminal.say('There is nothing to finish.');
      return EXIT.done;
    }),
  );
};
