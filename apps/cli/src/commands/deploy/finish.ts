import { z } from 'zod';
import type { Run } from '../../command.ts';
import { changeOptions } from '../../deployment/flags.ts';
import type { Lease } from '../../deployment/lease.ts';
import { readLedger } from '../../deployment/ledger-store.ts';
import { migrationOutlook, observe } from '../../deployment/observe.ts';
import { planFinish } from '../../deployment/plan.ts';
import { newPlanId } from '../../deployment/plan-id.ts';
import { releaseOf } from '../../deployment/release-store.ts';
import { confirmAndCarryOut, endUnfinished, withCluster, withDeployment } from '../../deployment/session.ts';
import { answeringSince } from '../../deployment/soak.ts';
import type { Cluster } from '../../host/cluster.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { asRefusal } from '../options.ts';

export const run: Run = async ({ terminal, options: typed }) => {
  const { wait, yes, now, ...choice } = asRefusal(
    z.object({ ...changeOptions, now: z.boolean().default(false) }),
    typed,
  );
  return withCluster(choice, async (cluster) =>
    withDeployment({ command: 'deploy finish', wait, terminal, cluster }, async (lease, signal) => {
      await endUnfinished(lease, cluster, terminal);
      const release = releaseOf(lease.record());
      const running = release[release.active];
      if (!running) {
        throw new CliError('Nothing is deployed.', 'Begin with `calculaud deploy`.', EXIT.refused);
      }
      if (!now) await refuseDuringTheSoak(cluster, lease);
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

/** The version before is the only way back; nobody gives it up by a mistake of the clock. */
async function refuseDuringTheSoak({ config }: Cluster, { register, record }: Lease): Promise<void> {
  const { entries } = await readLedger(register);
  const since = answeringSince(entries, releaseOf(record()));
  const until = since && new Date(since.getTime() + config.strategy.soak);
  if (!until || until <= new Date()) return;
  throw new CliError(
    `The version that runs has answered users since ${since.toISOString()}, and soaks until ${until.toISOString()} (strategy.soak).`,
    'Until then `calculaud rollback` is one switch. Not worth waiting for? `calculaud deploy finish --now`.',
    EXIT.refused,
  );
}
