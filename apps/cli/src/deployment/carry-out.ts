import type { Cluster } from '../host/cluster.ts';
import { addedP99 } from '../journey/probe-events.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Terminal } from '../ui/terminal.ts';
import { type Action, stepSchema } from './action.ts';
import { nextToApply, nextToUndo, type Plan, type PlanStep } from './journal.ts';
import { finishJournal, loadPlan, markStep, turnToUndo } from './journal-store.ts';
import { jsonSchema, type Json } from './json.ts';
import { hasToJudge } from './ending.ts';
import type { Lease } from './lease.ts';
import type { LedgerEntry } from './ledger.ts';
import { Journeys, ProbeToken, TrafficProbe } from './observers.ts';
import { perform, type Work } from './perform.ts';
import { releaseOf } from './release-store.ts';

export interface Outcome {
  readonly entry: LedgerEntry;
  /** Why it was undone. */
  readonly reason: string | null;
}

/**
 * Carries the journal's plan out from where it stands, forwards or back, whoever began it. When a step fails everything
 * that was done is undone, the last step first. `brief`: nobody has asked for it, so that it is ended by the shortest way,
 * without anything that only watches.
 */
export async function carryOut(
  lease: Lease,
  cluster: Cluster,
  terminal: Terminal,
  { brief = false }: { readonly brief?: boolean } = {},
): Promise<Outcome> {
  const { journal } = lease.record();
  if (!journal) throw new Error('there is no plan to carry out');
  const plan = await loadPlan(lease.register, journal);
  const work: Work = {
    cluster,
    token: new ProbeToken(cluster, `deployment ${plan.id}`),
    journeys: new Journeys(cluster, toolsOf(plan)),
    say: (text) => terminal.say(`  ${text}`),
    release: () => releaseOf(lease.record()),
    traffic: undefined,
    goingBack: false,
  };
  const takenOver = journal.steps.some(({ state }) => state !== 'pending');
  // To start a prober for the last seconds of what another command had measured would be most of their work.
  const measured = !brief && !(takenOver && !hasToJudge(plan, journal));
  // Going back needs none, so that those of the killed command can go meanwhile; their container may go first, though.
  const tokensGone =
    takenOver && journal.direction === 'undo'
      ? endTokens(work, true).then(
          () => true,
          () => false,
        )
      : Promise.resolve(false);
  const figures: Record<string, Json> = {};
  try {
    if (journal.direction === 'apply') await apply(lease, plan, work, { terminal, figures, brief, measured });
    const turned = lease.record().journal;
    if (turned?.direction === 'undo') await undo(lease, plan, work, terminal);
  } finally {
    await work.journeys.end();
    Object.assign(figures, await endTraffic(work, terminal));
    if (!(await tokensGone)) {
      await endTokens(work, takenOver).catch((error: unknown) => {
        terminal.say(`The token of the probes could not be revoked; it expires by itself: ${String(error)}`);
      });
    }
  }
  const reason = lease.record().journal?.reason ?? null;
  const entry = await finishJournal(lease, {
    outcome: reason === null ? 'done' : 'rolled back',
    figures,
    ...(takenOver &&
      reason === null && {
        note: `begun by ${journal.startedBy}, whose command ended early; finished by "${lease.holder.command}"`,
      }),
  });
  return { entry, reason };
}

/** Probes and journeys are run by the version that is known to work; each plan has one. */
function toolsOf({ steps }: Plan): string {
  for (const { data } of steps) {
    const { action } = stepSchema.parse(data);
    if ('tools' in action) return action.tools;
  }
  return '';
}

interface Applying {
  readonly terminal: Terminal;
  readonly figures: Record<string, Json>;
  readonly brief: boolean;
  readonly measured: boolean;
}

async function apply(
  lease: Lease,
  plan: Plan,
  work: Work,
  { terminal, figures, brief, measured }: Applying,
): Promise<void> {
  for (;;) {
    const step = nextToApply(journalOf(lease), plan);
    if (!step) return;
    const { action, release } = stepSchema.parse(step.data);
    await begin(lease, step, terminal, plan);
    try {
      if (measured) await startTraffic(action, work);
      const detail =
        brief && action.kind === 'watch'
          ? NOT_WATCHED
          : await lease.guard(async (signal) => perform(action, work, signal));
      await markStep(lease, step.id, 'done', { detail, ...(release && { release }) });
      if (action.kind === 'switch') figures['switch'] = detail;
      terminal.emit('step_done', { step: step.id, kind: step.kind, detail });
      if (action.kind === 'switch') work.traffic?.mark('after');
    } catch (error) {
      if (isAboutTheLease(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      terminal.say(terminal.paint.red(`✗ ${step.title}`));
      terminal.say(reason);
      terminal.emit('step_failed', { step: step.id, kind: step.kind, reason });
      await markStep(lease, step.id, 'failed', { detail: reason });
      await turnToUndo(lease, reason);
      return;
    }
  }
}

async function undo(lease: Lease, plan: Plan, work: Work, terminal: Terminal): Promise<void> {
  terminal.say('Going back to what was before …');
  work.traffic?.mark('undo');
  work.goingBack = true;
  for (;;) {
    const step = nextToUndo(journalOf(lease), plan);
    if (!step) return;
    const back = step.undo === undefined ? undefined : stepSchema.parse(step.undo);
    try {
      if (back) {
        terminal.say(`↶ ${step.title}`);
        terminal.emit('step_undoing', { step: step.id, kind: step.kind });
        await lease.guard(async (signal) => perform(back.action, work, signal));
      }
      await markStep(lease, step.id, 'undone', back?.release ? { release: back.release } : {});
    } catch (error) {
      if (isAboutTheLease(error)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new CliError(
        `Step ${step.id} (${step.title}) could not be undone: ${reason}`,
        'Mend what stands in the way (`calculaud status`), then run `calculaud deploy abort` again.',
        EXIT.notRolledBack,
        { cause: error },
      );
    }
  }
}

async function begin(lease: Lease, step: PlanStep, terminal: Terminal, { steps }: Plan): Promise<void> {
  await markStep(lease, step.id, 'begun');
  terminal.say(`${terminal.paint.dim(`[${step.id}/${steps.length}]`)} ${step.title}`);
  terminal.emit('step_begun', { step: step.id, of: steps.length, kind: step.kind, title: step.title });
}

/** What users would see is measured from the first step on that could disturb them; nothing is there before an installation. */
async function startTraffic(action: Action, work: Work): Promise<void> {
  const { active, ...release } = work.release();
  const running = release[active];
  if (work.traffic || !running || running.replicas === 0 || !mayDisturb(action)) return;
  work.traffic = await TrafficProbe.start(work.cluster, running.image, await work.token.of(active));
}

const NOT_WATCHED = 'not watched, because the command that had begun it ended';
const DISTURBING: ReadonlySet<Action['kind']> = new Set(['release', 'reload', 'switch', 'canary', 'watch']);

function mayDisturb(action: Action): boolean {
  return DISTURBING.has(action.kind) && !(action.kind === 'switch' && action.urgent === true);
}

/** Where no API runs nobody could be asked, and nobody has made a token. */
async function endTokens({ token, release }: Work, others: boolean): Promise<void> {
  const { active, ...colours } = release();
  if ((colours[active]?.replicas ?? 0) > 0) await token.revoke(active, { others });
}

async function endTraffic(work: Work, terminal: Terminal): Promise<Record<string, Json>> {
  const summary = await work.traffic?.end();
  if (!summary) return {};
  const { sent, failed, phases, writes, uploads, failures } = summary;
  const words = `${sent} requests of the prober, ${failed} failed; writes: ${writes.lost} lost, ${writes.doubled} doubled`;
  const bad = failed + writes.lost + writes.doubled > 0;
  terminal.say(bad ? terminal.paint.red(words) : words);
  for (const { at_ms, request, what } of failures.slice(0, 5))
    terminal.say(`  ${at_ms} ms: ${request} ${what}`);
  const traffic = {
    sent,
    failed,
    phases,
    writes,
    uploads,
    added_p99_ms: addedP99(summary),
    failures: failures.slice(0, 10),
  };
  terminal.emit('traffic', traffic);
  return { traffic: jsonSchema.parse(traffic) };
}

function journalOf(lease: Lease) {
  const { journal } = lease.record();
  if (!journal) throw new Error('the journal is gone while it is carried out');
  return journal;
}

/** Whoever lost the lease may not write any more; whoever has it now goes on. */
function isAboutTheLease(error: unknown): boolean {
  return error instanceof CliError && (error.exitCode === EXIT.locked || error.exitCode === EXIT.interrupted);
}
