import { z } from 'zod';
import type { Run } from '../../command.ts';
import { changeOptions } from '../../deployment/flags.ts';
import {
  confirmAndCarryOut,
  endUnfinished,
  showPlan,
  withCluster,
  withDeployment,
} from '../../deployment/session.ts';
import { prepare } from '../../deployment/prepare.ts';
import { STRATEGIES } from '../../environment/schema.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { asRefusal } from '../options.ts';

const options = z.object({
  ...changeOptions,
  image: z.string().min(1).optional(),
  strategy: z.enum(STRATEGIES).optional(),
  dryRun: z.boolean().default(false),
});

export const run: Run = async ({ terminal, options: typed }) => {
  const wish = asRefusal(options, typed);
  return withCluster(wish, async (cluster) =>
    withDeployment(
      { command: `deploy ${wish.image ?? cluster.config.image}`, wait: wish.wait, terminal, cluster },
      async (lease, signal) => {
        if (!wish.dryRun) await endUnfinished(lease, cluster, terminal);
        const plan = await prepare(cluster, lease.record(), wish, { terminal, signal });
        if (!plan) {
          terminal.say('Everything is as it should be.');
          terminal.emit('plan', { environment: cluster.config.name, changes: [], steps: [] });
          return EXIT.done;
        }
        if (wish.dryRun) {
          showPlan(terminal, plan, cluster.config);
          return EXIT.findings;
        }
        return confirmAndCarryOut(lease, cluster, plan, { terminal, yes: wish.yes });
      },
    ),
  );
};
