import { z } from 'zod';
import type { Run } from '../../command.ts';
import { environmentOptions } from '../../deployment/flags.ts';
import { withCluster } from '../../deployment/session.ts';
import { explainFailure } from '../../failures.ts';
import type { Cluster } from '../../host/cluster.ts';
import { DockerError } from '../../host/docker-error.ts';
import { type Assessment, assess } from '../../status/findings.ts';
import { look } from '../../status/look.ts';
import { screen } from '../../status/screen.ts';
import type { Seen } from '../../status/seen.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT, type ExitCode } from '../../ui/exit-codes.ts';
import { redrawn } from '../../ui/redrawn.ts';
import { untilStopped } from '../../ui/until-stopped.ts';
import { asRefusal } from '../options.ts';

const options = z.object({ ...environmentOptions, watch: z.boolean().default(false) });

const EXIT_OF: Readonly<Record<Assessment['verdict'], ExitCode>> = {
  healthy: EXIT.done,
  wrong: EXIT.findings,
  unverified: EXIT.unverified,
};

export const run: Run = async ({ terminal, options: typed }) => {
  const wish = asRefusal(options, typed);
  if (wish.watch && !terminal.size()) {
    throw new CliError(
      '--watch draws on a terminal, and standard output is none.',
      'Leave it out, or call `calculaud status --json` again and again.',
      EXIT.refused,
    );
  }
  const choice = wish.to ? ` --to ${wish.to}` : wish.file ? ` --file ${wish.file}` : '';
  let exitCode: ExitCode = EXIT.done;
  const draw = async (cluster: Cluster): Promise<string> => {
    const seen = await lookAt(cluster);
    const assessment = assess(seen, choice);
    exitCode = EXIT_OF[assessment.verdict];
    terminal.emit('status', { ...assessment, ...seen });
    return screen(seen, assessment, terminal.paint);
  };
  return withCluster(
    wish,
    async (cluster) => {
      if (wish.watch) {
        await untilStopped(async (signal) =>
          redrawn(terminal, async () => draw(cluster).catch(inWords), signal),
        );
      } else {
        terminal.print(await draw(cluster));
      }
      return exitCode;
    },
    { tolerant: true },
  );
};

async function lookAt(cluster: Cluster): Promise<Seen> {
  try {
    return await look(cluster);
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    const away = cluster.away.map(({ name, why }) => `Host ${name} cannot be reached: ${why}`);
    throw new CliError(
      [`The Swarm of ${cluster.config.name} does not say what runs: ${error.message}`, ...away].join('\n'),
      `What runs goes on running. Look at the managers: \`docker --host ${cluster.manager.name} node ls\`.`,
      EXIT.refused,
      { cause: error },
    );
  }
}

/** Somebody who watches waits for it to come back. */
function inWords(error: unknown): string {
  const { message, hint } = explainFailure(error);
  return `${message}\n${hint}`;
}
