import { hostname, userInfo } from 'node:os';
import { type EnvironmentChoice, loadEnvironment } from '../environment/file.ts';
import type { EnvironmentConfig } from '../environment/schema.ts';
import { type Cluster, openCluster } from '../host/cluster.ts';
import { stackName } from '../stack/names.ts';
import { confirm } from '../ui/confirm.ts';
import { EXIT, type ExitCode } from '../ui/exit-codes.ts';
import type { Terminal } from '../ui/terminal.ts';
import { carryOut, type Outcome } from './carry-out.ts';
import { endingOf } from './ending.ts';
import type { Plan } from './journal.ts';
import { loadPlan, startJournal, turnToUndo } from './journal-store.ts';
import { type Lease, withLease } from './lease.ts';
import { removeLeftovers } from './leftovers.ts';
import { openRegister } from './register.ts';

interface Choice {
  readonly to?: string | undefined;
  readonly file?: string | undefined;
}

/** Opens the hosts of an environment for as long as the work lasts; `tolerant` does without those that are away. */
export async function withCluster<T>(
  choice: Choice,
  work: (cluster: Cluster) => Promise<T>,
  { tolerant = false }: { readonly tolerant?: boolean } = {},
): Promise<T> {
  const wanted: EnvironmentChoice = { file: choice.file, name: choice.to };
  const cluster = await openCluster(loadEnvironment(wanted), { tolerant });
  try {
    return await work(cluster);
  } finally {
    await cluster.close();
  }
}

interface Change {
  readonly command: string;
  readonly wait: number;
  readonly terminal: Terminal;
  readonly cluster: Cluster;
}

/** The right to change an environment. What a killed command has left running beside the stack is taken away first. */
export async function withDeployment<T>(
  { command, wait, terminal, cluster }: Change,
  work: (lease: Lease, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const interrupted = new AbortController();
  const onSignal = () => interrupted.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    const register = openRegister(cluster.manager.api, stackName(cluster.config));
    return await withLease(
      register,
      { who: whoAmI(), command, waitSeconds: wait, say: terminal.say, signal: interrupted.signal },
      async (lease) => {
        for (const what of await removeLeftovers(cluster)) terminal.say(`A killed command had left ${what}.`);
        return work(lease, interrupted.signal);
      },
    );
  } finally {
    process.removeListener('SIGINT', onSignal).removeListener('SIGTERM', onSignal);
  }
}

/** Ends what a killed command left behind, before anything else is done: `endingOf` decides how. */
export async function endUnfinished(
  lease: Lease,
  cluster: Cluster,
  terminal: Terminal,
): Promise<Outcome | undefined> {
  const { journal } = lease.record();
  if (!journal) return undefined;
  const { plan: begun, startedBy, startedAt } = journal;
  terminal.say(`"${begun.command}" of ${startedBy}, begun at ${startedAt}, was not finished.`);
  const plan = await loadPlan(lease.register, journal);
  const direction = endingOf(plan, journal);
  if (direction === 'undo') {
    await turnToUndo(lease, `the command of ${startedBy} ended before everything was judged`);
  }
  terminal.say(direction === 'apply' ? 'It is finished.' : 'It is undone.');
  const outcome = await carryOut(lease, cluster, terminal, { brief: true });
  const { n, outcome: ended } = outcome.entry;
  terminal.emit('unfinished_ended', { command: begun.command, started_by: startedBy, n, outcome: ended });
  return outcome;
}

/** Shows a plan, asks, carries it out, and says how it ended. */
export async function confirmAndCarryOut(
  lease: Lease,
  cluster: Cluster,
  plan: Plan,
  { terminal, yes }: { terminal: Terminal; yes: boolean },
): Promise<ExitCode> {
  showPlan(terminal, plan, cluster.config);
  await confirm(terminal, `Do this in ${cluster.config.name}?`, yes);
  await startJournal(lease, plan);
  return ended(await carryOut(lease, cluster, terminal), terminal);
}

export function showPlan(terminal: Terminal, plan: Plan, { name }: EnvironmentConfig): void {
  terminal.print(plan.summary.join('\n'));
  terminal.emit('plan', {
    environment: name,
    id: plan.id,
    changes: plan.summary,
    steps: plan.steps.map(({ id, kind, title, undo }) => ({
      id,
      kind,
      title,
      reversible: undo !== undefined,
    })),
  });
}

export function ended({ entry, reason }: Outcome, terminal: Terminal): ExitCode {
  const { n, hash, outcome, figures } = entry;
  terminal.emit('deployment', { n, outcome, reason, figures, hash });
  if (reason === null) {
    terminal.say(terminal.paint.green(`Done and verified (entry ${n} of the ledger).`));
    return EXIT.done;
  }
  const [first] = reason.split('\n');
  terminal.say(terminal.paint.red(`Rolled back, entry ${n} of the ledger: ${first}`));
  return EXIT.rolledBack;
}

export function whoAmI(): string {
  return `${userInfo().username}@${hostname()}`;
}
