import type { ReleaseState } from '../stack/release-state.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import {
  type Journal,
  markedJournal,
  type Plan,
  planSchema,
  type StepMark,
  startedJournal,
  turnedJournal,
  UnfinishedJournal,
} from './journal.ts';
import { hashOf, type Json, shortened } from './json.ts';
import type { Lease } from './lease.ts';
import type { LedgerEntry } from './ledger.ts';
import { settleLedger, withEntry } from './ledger-store.ts';
import { listObjects, objectName, putObject, readObject } from './objects.ts';
import type { DeploymentRecord } from './record.ts';
import type { Register } from './register.ts';

/** With them, and what is written beside it, an entry of the ledger always fits into one object of the store. */
const MOST_STEPS = 100;
const LARGEST_PLAN = 200_000;
const LARGEST_FIGURES = 50_000;

/** Begins a plan, which then has to be finished, by this command or a later one. Refuses while another is unfinished. */
export async function startJournal(lease: Lease, plan: Plan): Promise<void> {
  const text = JSON.stringify(plan);
  if (plan.steps.length > MOST_STEPS || text.length > LARGEST_PLAN) {
    throw new Error(`Plan ${plan.id} is too large: ${plan.steps.length} steps, ${text.length} characters`);
  }
  await settleLedger(lease);
  const unfinished = lease.record().journal;
  if (unfinished) throw new UnfinishedJournal(unfinished);
  const { api, stack } = lease.register;
  const suffix = hashOf(plan).slice(0, 16);
  await lease.guard(async () => {
    // One that was killed between closing its journal and clearing up has left its plan behind.
    for (const { name } of await listObjects(api, stack, 'plan')) {
      lease.assertHeld();
      await api.removeConfig(name);
    }
    await putObject(api, stack, 'plan', suffix, text);
  });
  const journal = startedJournal(plan, {
    object: objectName(stack, 'plan', suffix),
    at: new Date().toISOString(),
    by: lease.holder.who,
  });
  await lease.update((record) => ({ ...record, journal }));
}

/** The plan of a journal, exactly as it was begun. */
export async function loadPlan(register: Register, journal: Journal): Promise<Plan> {
  const plan = await findPlan(register, journal);
  if (plan) return plan;
  const { id, object } = journal.plan;
  throw new CliError(
    `The plan ${id} that was begun at ${journal.startedAt} is gone, or was changed since (config ${object}).`,
    'Compare what runs with what should run (`calculaud status`, `calculaud plan`), then close it: `calculaud deploy abort`.',
    EXIT.refused,
  );
}

/** Undefined when it is gone, or was changed since. */
export async function findPlan(
  { api }: Register,
  { plan: { object, hash } }: Journal,
): Promise<Plan | undefined> {
  const data = await readObject(api, object);
  if (!data) return undefined;
  const content: unknown = JSON.parse(data.toString('utf8'));
  return hashOf(content) === hash ? planSchema.parse(content) : undefined;
}

interface Mark {
  readonly detail?: Json;
  /** What runs from now on; written in the same act. */
  readonly release?: ReleaseState;
}

/** Writes how far a step has come. Before `begun` is written nothing of it may be done. */
export async function markStep(
  lease: Lease,
  stepId: string,
  state: Exclude<StepMark['state'], 'pending'>,
  { detail, release }: Mark = {},
): Promise<void> {
  const at = new Date().toISOString();
  await lease.update((record) => ({
    ...record,
    journal: markedJournal(begun(record), stepId, { state, at, detail }),
    ...(release !== undefined && { release }),
  }));
}

/** From here on the steps are undone, the last one first, also by a command that comes later. */
export async function turnToUndo(lease: Lease, reason: string): Promise<void> {
  await lease.update((record) => ({ ...record, journal: turnedJournal(begun(record), reason) }));
}

interface End {
  readonly outcome: LedgerEntry['outcome'];
  readonly figures?: Json;
  readonly note?: string;
}

/** Closes the journal and writes the entry of the ledger, in one act. */
export async function finishJournal(lease: Lease, { outcome, figures, note }: End): Promise<LedgerEntry> {
  const { api } = lease.register;
  await settleLedger(lease);
  const journal = begun(lease.record());
  // Also without its plan a journal can be closed, or nobody could ever deploy again.
  const plan = (await findPlan(lease.register, journal)) ?? null;
  const at = new Date().toISOString();
  const { ledger } = await lease.update((record) => {
    const {
      steps,
      startedAt,
      reason,
      plan: { command },
    } = begun(record);
    const content = {
      command,
      startedAt,
      at,
      outcome,
      plan,
      steps,
      figures: figures === undefined ? null : shortened(figures, LARGEST_FIGURES),
      note: note ?? reason,
    };
    return { ...withEntry(lease, record, content), journal: null };
  });
  await settleLedger(lease);
  // The ledger holds it from now on.
  await api.removeConfig(journal.plan.object);
  if (!ledger.pending) throw new Error('The entry is gone from the record that it was written to');
  return ledger.pending;
}

function begun({ journal }: DeploymentRecord): Journal {
  if (!journal) throw new Error('There is no plan that was begun');
  return journal;
}
