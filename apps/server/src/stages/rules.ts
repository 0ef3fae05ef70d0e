import { Problem } from '../platform/problem.ts';
import { InvalidInput } from '../platform/validation.ts';

/** A stage as it stands in the chain of its purchase. */
export interface PlacedStage {
  readonly id: number;
  readonly priority: number;
  readonly completion_date: string | null;
}

interface Completion {
  readonly value: string | null;
  readonly completion_date: string | null;
}

export function isSameCompletion(one: Completion, other: Completion): boolean {
  return one.value === other.value && one.completion_date === other.completion_date;
}

/** The rule `value-required`: of a stage whose type takes a value. An empty text is none. */
export function assertHasValue(typeName: string, { value, completion_date }: Completion): void {
  if (completion_date !== null && !value?.trim()) {
    throw refused(
      'value',
      'value_required',
      `A stage of the type '${typeName}' is complete only with its value`,
      value,
    );
  }
}

/**
 * The rule `stage-order`: levels are completed one after the other, on days that are not in the future and do not run
 * backwards. Stages of one level are free among themselves.
 */
export function assertInOrder(
  { id, priority }: Pick<PlacedStage, 'id' | 'priority'>,
  completionDate: string | null,
  chain: readonly PlacedStage[],
  today: string,
): void {
  const others = chain.filter((stage) => stage.id !== id);
  const before = others.filter((stage) => stage.priority < priority);
  const after = others.filter((stage) => stage.priority > priority && stage.completion_date !== null);
  if (completionDate === null) {
    if (after.length > 0) {
      throw new Problem(
        'out_of_order',
        409,
        `Stage with ID ${id} cannot be reopened: later stages are complete (${ids(after)}). Reopen those first`,
      );
    }
    return;
  }
  if (completionDate > today) {
    throw wrongDay(`A stage cannot be completed in the future: today is ${today}`, completionDate);
  }
  const pending = before.filter((stage) => stage.completion_date === null);
  if (pending.length > 0) {
    throw new Problem(
      'out_of_order',
      409,
      `Stage with ID ${id} cannot be completed: earlier stages are pending (${ids(pending)})`,
    );
  }
  const earliest = days(nearest(before, (one, other) => other - one)).at(-1);
  if (earliest !== undefined && completionDate < earliest) {
    throw wrongDay(
      `A stage cannot be completed before the level ahead of it, which was on ${earliest}`,
      completionDate,
    );
  }
  const latest = days(nearest(after, (one, other) => one - other))[0];
  if (latest !== undefined && completionDate > latest) {
    throw wrongDay(
      `A stage cannot be completed after the level behind it, which was on ${latest}`,
      completionDate,
    );
  }
}

/** The stages of the level that comes first in this order. */
function nearest(stages: readonly PlacedStage[], order: (one: number, other: number) => number) {
  const [level] = stages.map((stage) => stage.priority).toSorted(order);
  return stages.filter((stage) => stage.priority === level);
}

/** On which they were completed, the first one first. */
function days(stages: readonly PlacedStage[]): string[] {
  return stages.flatMap((stage) => stage.completion_date ?? []).toSorted();
}

function ids(stages: readonly PlacedStage[]): string {
  return stages.map((stage) => stage.id).join(', ');
}

function wrongDay(message: string, input: string): InvalidInput {
  return refused('completion_date', 'out_of_order', message, input);
}

function refused(member: string, type: string, msg: string, input: string | null): InvalidInput {
  return new InvalidInput([{ type, loc: ['body', member], msg, input }]);
}
