import { z } from 'zod';
import type { Run } from '../../command.ts';
import { environmentOptions, changeOptions } from '../../deployment/flags.ts';
import { appendToLedger } from '../../deployment/ledger-store.ts';
import { openRegister } from '../../deployment/register.ts';
import { releaseOf } from '../../deployment/release-store.ts';
import { withCluster, withDeployment } from '../../deployment/session.ts';
import { DockerCommandError } from '../../host/docker-command.ts';
import { stackName } from '../../stack/names.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import type { Terminal } from '../../ui/terminal.ts';
import { asRefusal } from '../options.ts';
import { maskedCommand } from './masked.ts';
import { findTarget, type Target } from './target.ts';

const options = z.object({ ...environmentOptions, wait: changeOptions.wait });

/** A script that somebody passes along as an argument does not have to be in the ledger to its end. */
const LONGEST_RECORD = 2000;

export const run: Run = async ({ terminal, options: typed, arguments: [name = '', ...argv] }) => {
  const { wait, ...choice } = asRefusal(options, typed);
  return withCluster(
    choice,
    async (cluster) => {
      const register = openRegister(cluster.manager.api, stackName(cluster.config));
      const target = await findTarget(cluster, name, releaseOf((await register.read()).record));
      const { instance, container, docker } = target;
      const command = `exec ${instance} -- ${maskedCommand(argv)}`.slice(0, LONGEST_RECORD);
      // Before it runs: nobody gets around the record by killing this command. The lock is held for that moment only.
      await withDeployment({ command, wait, terminal, cluster }, async (lease) => {
        const at = new Date().toISOString();
        await appendToLedger(lease, {
          command,
          startedAt: at,
          at,
          outcome: 'begun',
          plan: null,
          steps: [],
          figures: { instance, container, host: docker.name },
          note: 'written before it ran; how it ended is not recorded',
        });
      });
      return terminal.json ? runForPrograms(target, argv, terminal) : runForPeople(target, argv, terminal);
    },
    { tolerant: true },
  );
};

async function runForPeople(
  { docker, container }: Target,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const hasTerminal = terminal.interactive && terminal.size() !== undefined;
  return docker.command.attach(['exec', hasTerminal ? '-it' : '-i', container, ...argv]);
}

async function runForPrograms(
  { docker, container, instance }: Target,
  argv: readonly string[],
  terminal: Terminal,
): Promise<number> {
  terminal.emit('exec_begun', { instance, container });
  const exitCode = await docker.command
    .run(['exec', container, ...argv], {
      onLine: (line, stream) => terminal.emit('exec_output', { stream, line }),
    })
    .then(
      () => EXIT.done,
      (error: unknown) => {
        if (error instanceof DockerCommandError && error.exitCode !== null) return error.exitCode;
        throw error;
      },
    );
  terminal.emit('exec_ended', { instance, exit_code: exitCode });
  return exitCode;
}
