import { z } from 'zod';
import type { Run } from '../../command.ts';
import { environmentOptions } from '../../deployment/flags.ts';
import { prepare } from '../../deployment/prepare.ts';
import { openRegister } from '../../deployment/register.ts';
import { showPlan, withCluster } from '../../deployment/session.ts';
import { STRATEGIES } from '../../environment/schema.ts';
import { stackName } from '../../stack/names.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { asRefusal } from '../options.ts';

const options = z.object({
  ...environmentOptions,
  image: z.string().min(1).optional(),
  strategy: z.enum(STRATEGIES).optional(),
});

export const run: Run = async ({ terminal, options: typed }) => {
  const wish = asRefusal(options, typed);
  return withCluster(wish, async (cluster) => {
    const register = openRegister(cluster.manager.api, stackName(cluster.config));
    const { record } = await register.read();
    const signal = new AbortController().signal;
    const plan = await prepare(cluster, record, wish, { terminal, signal });
    if (!plan) {
      terminal.say('Everything is as it should be.');
      terminal.emit('plan', { environment: cluster.config.name, changes: [], steps: [] });
      return EXIT.done;
    }
    showPlan(terminal, plan, cluster.config);
    return EXIT.findings;
  });
};
