import { z } from 'zod';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import { hashOf, type Json, jsonSchema, shortened } from './json.ts';

/** A part of a plan. What it means is known to whoever carries it out, not here. */
export interface PlanStep {
  readonly id: string;
  /** For people. */
  readonly title: string;
  readonly kind: string;
  readonly data: Json;
  readonly undo?: Json | undefined;
}

/** What will be done, in order. It never changes once the work has begun. */
export interface Plan {
  readonly id: string;
  readonly command: string;
  /** The lines that were confirmed. */
  readonly summary: readonly string[];
  readonly data: Json;
  readonly steps: readonly PlanStep[];
}

const STATES = ['pending', 'begun', 'done', 'failed', 'undone'] as const;

/** How far a step has come. */
export interface StepMark {
  readonly id: string;
  readonly state: (typeof STATES)[number];
  /** How often it was begun: more than once when a command was killed, or unsure of its lease, in the middle of it. */
  readonly attempts: number;
  readonly begunAt: string | null;
  readonly endedAt: string | null;
  readonly detail: Json;
}

const DIRECTIONS = ['apply', 'undo'] as const;

/** How far a plan has come. */
export interface Journal {
  readonly plan: {
    readonly id: string;
    readonly object: string;
    readonly hash: string;
    readonly command: string;
  };
  readonly startedAt: string;
  readonly startedBy: string;
  /** `undo` once something failed or somebody wanted it back; there is no way from there to `apply`. */
  readonly direction: (typeof DIRECTIONS)[number];
  /** Why it was turned back. */
  readonly reason: string | null;
  readonly steps: readonly StepMark[];
}

// Loose, as the ledger that they become a part of: what a newer version has added stays.
export const planSchema: z.ZodType<Plan> = z.looseObject({
  id: z.string(),
  command: z.string(),
  summary: z.array(z.string()),
  data: jsonSchema,
  steps: z.array(
    z.looseObject({
      id: z.string(),
      title: z.string(),
      kind: z.string(),
      data: jsonSchema,
      undo: jsonSchema.optional(),
    }),
  ),
});
export const stepMarksSchema: z.ZodType<readonly StepMark[]> = z.array(
  z.looseObject({
    id: z.string(),
    state: z.enum(STATES),
    attempts: z.number().int(),
    begunAt: z.string().nullable(),
    endedAt: z.string().nullable(),
    detail: jsonSchema,
  }),
);
export const journalSchema: z.ZodType<Journal> = z.strictObject({
  plan: z.strictObject({ id: z.string(), object: z.string(), hash: z.string(), command: z.string() }),
  startedAt: z.string(),
  startedBy: z.string(),
  direction: z.enum(DIRECTIONS),
  reason: z.string().nullable(),
  steps: stepMarksSchema,
});

interface Start {
  readonly object: string;
  readonly at: string;
  readonly by: string;
}

/** What may become of a step. A step that was begun and never ended is begun again: steps can be repeated. */
const BEFORE: Readonly<Record<Exclude<StepMark['state'], 'pending'>, readonly StepMark['state'][]>> = {
  begun: ['pending', 'begun', 'failed'],
  done: ['begun'],
  failed: ['begun'],
  undone: ['begun', 'done', 'failed'],
};
/** As long as a reason with some lines of a log; more belongs to where it came from. */
const LONGEST_DETAIL = 4000;

export function startedJournal(plan: Plan, { object, at, by }: Start): Journal {
  const ids = new Set(plan.steps.map(({ id }) => id));
  if (ids.size !== plan.steps.length)
    throw new Error(`There are two steps of plan ${plan.id} with the same id`);
  return {
    plan: { id: plan.id, object, hash: hashOf(plan), command: plan.command },
    startedAt: at,
    startedBy: by,
    direction: 'apply',
    reason: null,
    steps: plan.steps.map(({ id }) => ({
      id,
      state: 'pending',
      attempts: 0,
      begunAt: null,
      endedAt: null,
      detail: null,
    })),
  };
}

interface Mark {
  readonly state: keyof typeof BEFORE;
  readonly at: string;
  readonly detail?: Json | undefined;
}

/** The journal with one step further; a change that makes no sense is a fault of the caller. */
export function markedJournal(journal: Journal, stepId: string, { state, at, detail }: Mark): Journal {
  const step = journal.steps.find(({ id }) => id === stepId);
  if (!step) throw new Error(`Plan ${journal.plan.id} has no step ${stepId}`);
  if (!BEFORE[state].includes(step.state)) {
    throw new Error(`Step ${stepId} of plan ${journal.plan.id} is ${step.state} and cannot become ${state}`);
  }
  if (state === 'begun' && journal.direction === 'undo') {
    throw new Error(`Plan ${journal.plan.id} is being undone; step ${stepId} cannot be begun`);
  }
  if (state === 'undone' && journal.direction === 'apply') {
    throw new Error(`Plan ${journal.plan.id} is being applied; step ${stepId} cannot be undone`);
  }
  const marked: StepMark = {
    ...step,
    state,
    ...(state === 'begun'
      ? { attempts: step.attempts + 1, begunAt: at, endedAt: null, detail: null }
      : { endedAt: at }),
    ...(detail !== undefined && { detail: shortened(detail, LONGEST_DETAIL) }),
  };
  return { ...journal, steps: journal.steps.map((other) => (other.id === stepId ? marked : other)) };
}

export function turnedJournal(journal: Journal, reason: string): Journal {
  return journal.direction === 'undo' ? journal : { ...journal, direction: 'undo', reason };
}

/** The first step that is not done; one that was only begun is done again. */
export function nextToApply({ steps }: Journal, plan: Plan): PlanStep | undefined {
  const mark = steps.find(({ state }) => state !== 'done');
  return plan.steps.find(({ id }) => id === mark?.id);
}

/** The last step that may have left something behind. */
export function nextToUndo({ steps }: Journal, plan: Plan): PlanStep | undefined {
  const mark = steps.findLast(({ state }) => state !== 'pending' && state !== 'undone');
  return plan.steps.find(({ id }) => id === mark?.id);
}

/** Begun by somebody who did not finish it: it has to be resumed or undone before anything new. */
export class UnfinishedJournal extends CliError {
  constructor({ plan, startedAt, startedBy, steps, direction }: Journal) {
    const [done, all] = [steps.filter(({ state }) => state === 'done').length, steps.length];
    super(
      `"${plan.command}" of ${startedBy}, begun at ${startedAt}, is not finished: ` +
        (direction === 'undo' ? 'it was being undone.' : `${done} of ${all} steps are done.`),
      'Run `calculaud deploy resume` to finish it, or `calculaud deploy abort` to undo it.',
      EXIT.refused,
    );
  }
}
