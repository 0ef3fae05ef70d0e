import type { StageEdit } from '@calculaud/contract/purchases';

/** Where stages stand in a purchase's chain. Stages of one priority run in parallel. */

/** What a chain shall look like: existing stages at their places, and new ones. Those it does not name go. */
export interface Chain {
  readonly keep: readonly { readonly id: number; readonly priority: number }[];
  readonly add: readonly NewStage[];
}

export interface NewStage {
  /** Undefined: the type `custom`. */
  readonly stage_type_id: number | undefined;
  readonly priority: number;
  readonly custom_name: string | null;
  readonly note: string | null;
}

/** The chain that an edit describes (contract 3.11): positions from 1 become priorities; of an id the last place wins. */
export function editedChain(levels: readonly (readonly StageEdit[])[]): Chain {
  const keep = new Map<number, number>();
  const add: NewStage[] = [];
  for (const [index, level] of levels.entries()) {
    const priority = index + 1;
    for (const edit of level) {
      switch (edit.kind) {
        case 'keep':
          keep.set(edit.id, priority);
          break;
        case 'add':
          add.push({ stage_type_id: edit.stage_type_id, priority, custom_name: null, note: null });
          break;
        case 'custom':
          add.push({ stage_type_id: undefined, priority, custom_name: edit.custom_name, note: edit.note });
          break;
      }
    }
  }
  return { keep: [...keep].map(([id, priority]) => ({ id, priority })), add };
}

export interface ExistingStage {
  readonly id: number;
  readonly stage_type_id: number;
  readonly priority: number;
  readonly completed: boolean;
}

export interface TemplateStage {
  readonly stage_type_id: number;
  readonly priority: number;
}

/**
 * The chain of another flow for a purchase that is under way. A stage whose type occurs in the flow moves to its place
 * there with all its data; where there are more stages of a type than places, the completed ones take them before the
 * pending ones. Completed stages without a place stay in front of the flow, in their old order and levels: no completed
 * stage is ever lost. Pending ones without a place go. Choosing the same flow again changes nothing.
 */
export function rechosenChain(existing: readonly ExistingStage[], template: readonly TemplateStage[]): Chain {
  const placeOf = new Map<number, number>();
  const add: TemplateStage[] = [];
  for (const type of new Set(template.map((stage) => stage.stage_type_id))) {
    const places = template.filter((stage) => stage.stage_type_id === type).toSorted(byPriority);
    const stages = existing.filter((stage) => stage.stage_type_id === type).toSorted(byPriority);
    // Of the completed ones the last: those that stand in front already, because they had no place before, stay there.
    const completed = stages.filter((stage) => stage.completed).slice(-places.length);
    const pending = stages.filter((stage) => !stage.completed).slice(0, places.length - completed.length);
    const kept = [...completed, ...pending].toSorted(byPriority);
    for (const [index, place] of places.entries()) {
      const stage = kept[index];
      if (stage) {
        placeOf.set(stage.id, place.priority);
      } else {
        add.push(place);
      }
    }
  }
  const ahead = existing.filter((stage) => stage.completed && !placeOf.has(stage.id)).toSorted(byPriority);
  const levels = [...new Set(ahead.map((stage) => stage.priority))];
  return {
    keep: [
      ...ahead.map(({ id, priority }) => ({ id, priority: levels.indexOf(priority) + 1 })),
      ...[...placeOf].map(([id, priority]) => ({ id, priority: levels.length + priority })),
    ],
    add: add.map(({ stage_type_id, priority }) => ({
      stage_type_id,
      priority: levels.length + priority,
      custom_name: null,
      note: null,
    })),
  };
}

function byPriority(one: { readonly priority: number; readonly id?: number }, other: typeof one): number {
  return one.priority - other.priority || (one.id ?? 0) - (other.id ?? 0);
}
