import { type Action, stepSchema } from './action.ts';
import type { Journal, Plan } from './journal.ts';

/** They judge a version, for as long as that takes. */
const JUDGES: ReadonlySet<Action['kind']> = new Set(['gate', 'canary', 'watch']);

/**
 * How the next command ends what a killed one has left; whoever wants it otherwise says so (`deploy resume`, `abort`).
 *
 * It is finished when nothing is left but work that takes seconds: users have the new version, and every judgement was
 * made. It is undone when one is missing, also after traffic has moved: nobody has looked at the version meanwhile, to
 * judge it anew takes as long as it did at first, and a switch back takes a moment. A rollback is the other way round: the
 * version that it goes to has proven itself long ago, and what undoing it would bring back is what somebody fled from; so
 * nobody watches it either, since that could only lead back there.
 */
export function endingOf(plan: Plan, journal: Journal): Journal['direction'] {
  if (journal.direction === 'undo') return 'undo';
  const steps = marked(plan, journal);
  if (steps.every(({ state }) => state === 'done')) return 'apply';
  const fleeing = steps.some(
    ({ action, state }) => action.kind === 'switch' && action.urgent === true && state !== 'pending',
  );
  const moved = steps.some(
    ({ action: { kind }, state }) => state === 'done' && (kind === 'switch' || kind === 'watch'),
  );
  return fleeing || (moved && !hasToJudge(plan, journal)) ? 'apply' : 'undo';
}

/** Whether a version has still to be judged, or everything was, and what is left takes seconds. */
export function hasToJudge(plan: Plan, journal: Journal): boolean {
  return marked(plan, journal).some(({ action, state }) => state !== 'done' && JUDGES.has(action.kind));
}

function marked(plan: Plan, journal: Journal) {
  return plan.steps.map(({ id, data }) => ({
    action: stepSchema.parse(data).action,
    state: journal.steps.find((step) => step.id === id)?.state ?? 'pending',
  }));
}
