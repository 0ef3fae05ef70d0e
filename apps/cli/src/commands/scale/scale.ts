import { accessSync, constants, readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import type { Run } from '../../command.ts';
import { changeOptions } from '../../deployment/flags.ts';
import { observe } from '../../deployment/observe.ts';
import { newPlanId } from '../../deployment/plan-id.ts';
import { releaseOf } from '../../deployment/release-store.ts';
import { planScale } from '../../deployment/scale-plan.ts';
import {
  confirmAndCarryOut,
  endUnfinished,
  showPlan,
  withCluster,
  withDeployment,
} from '../../deployment/session.ts';
import { environmentFile } from '../../environment/file.ts';
import { describeProblem } from '../../environment/problem.ts';
import { readEnvironment } from '../../environment/read.ts';
import type { EnvironmentConfig } from '../../environment/schema.ts';
import { type Counts, withReplicas } from '../../environment/with-replicas.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT, type ExitCode } from '../../ui/exit-codes.ts';
import type { Terminal } from '../../ui/terminal.ts';
import { asRefusal } from '../options.ts';
import { parseCounts } from './counts.ts';

const options = z.object({
  ...changeOptions,
  save: z.boolean().default(false),
  dryRun: z.boolean().default(false),
});

export const run: Run = async ({ terminal, options: typed, arguments: words }) => {
  const wish = asRefusal(options, typed);
  const counts = parseCounts(words);
  const command = `scale ${words.join(' ')}`;
  const file = environmentFile({ file: wish.file, name: wish.to });
  return withCluster(wish, async (cluster) => {
    const { config } = cluster;
    const text = scaledText(file, counts);
    if (wish.save) refuseUnwritable(file);
    const exitCode = await withDeployment(
      { command, wait: wish.wait, terminal, cluster },
      async (lease, signal): Promise<ExitCode> => {
        if (!wish.dryRun) await endUnfinished(lease, cluster, terminal);
        const { drift } = await observe(cluster, releaseOf(lease.record()), signal);
        const plan = planScale(
          { config, counts, command, id: newPlanId(new Date()) },
          releaseOf(lease.record()),
          drift,
        );
        if (!plan) {
          terminal.say('There are as many already.');
          terminal.emit('plan', { environment: config.name, changes: [], steps: [] });
          return EXIT.done;
        }
        if (!wish.dryRun) return confirmAndCarryOut(lease, cluster, plan, { terminal, yes: wish.yes });
        showPlan(terminal, plan, config);
        return EXIT.findings;
      },
    );
    if (exitCode === EXIT.done) tellOrSave({ file, text, config, counts }, wish.save, terminal);
    return exitCode;
  });
};

/** The file as it would be with these numbers. They have to fit the rest of it, whether it is written or not. */
function scaledText(file: string, counts: Counts): string {
  const text = withReplicas(readFileSync(file, 'utf8'), counts);
  const { problems } = readEnvironment(text);
  if (problems.length === 0) return text;
  throw new CliError(
    `So many do not fit the rest of ${file}. Nothing was changed.\n` +
      problems.map((problem) => `  ${describeProblem(file, problem)}`).join('\n'),
    'Choose other numbers, or change what stands against them.',
    EXIT.refused,
  );
}

/** Before anything is changed, not after it. */
function refuseUnwritable(file: string): void {
  try {
    accessSync(file, constants.W_OK);
  } catch (error) {
    throw new CliError(
      `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}. Nothing was changed.`,
      'Leave --save out, or change the file where it comes from.',
      EXIT.refused,
      { cause: error },
    );
  }
}

interface Numbers {
  readonly file: string;
  readonly text: string;
  readonly config: EnvironmentConfig;
  readonly counts: Counts;
}

function tellOrSave({ file, text, config, counts }: Numbers, save: boolean, terminal: Terminal): void {
  const others = (['api', 'worker'] as const).filter(
    (service) => counts[service] !== undefined && counts[service] !== config.replicas[service],
  );
  if (others.length > 0) {
    const said = others.map((service) => `${service}: ${config.replicas[service]}`).join(', ');
    if (save) {
      writeFileSync(file, text);
      terminal.say(`${file} says so, too.`);
    } else {
      terminal.say(
        `${file} still says ${said}: \`calculaud plan\` shows that the next deployment puts that back. --save writes it.`,
      );
    }
  }
  terminal.emit('scaled', {
    ...counts,
    configured: save ? { ...config.replicas, ...counts } : config.replicas,
  });
}
