import type { StageEdit } from '@calculaud/contract/purchases';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editedChain, type ExistingStage, rechosenChain } from './rules.ts';

const keep = (id: number): StageEdit => ({ kind: 'keep', id });
const add = (stage_type_id: number): StageEdit => ({ kind: 'add', stage_type_id });
const custom = (custom_name: string, note: string | null = null): StageEdit => ({
  kind: 'custom',
  custom_name,
  note,
});

describe('an edited chain', () => {
  test('positions become priorities, an empty level leaves a gap', () => {
    expect(editedChain([[keep(5)], [], [add(7), keep(4), custom('x', 'n')]])).toEqual({
      keep: [
        { id: 5, priority: 1 },
        { id: 4, priority: 3 },
      ],
      add: [
        { stage_type_id: 7, priority: 3, custom_name: null, note: null },
        { stage_type_id: undefined, priority: 3, custom_name: 'x', note: 'n' },
      ],
    });
  });

  test('of a stage that is named several times the last position wins', () => {
    expect(editedChain([[keep(5)], [keep(6), keep(5)], [keep(5)]]).keep).toEqual([
      { id: 5, priority: 3 },
      { id: 6, priority: 2 },
    ]);
  });
});

const types = fc.integer({ min: 1, max: 5 });
const template = fc.array(fc.record({ stage_type_id: types, priority: fc.integer({ min: 1, max: 6 }) }), {
  maxLength: 9,
});
const existing = fc
  .array(
    fc.record({ stage_type_id: types, priority: fc.integer({ min: 1, max: 8 }), completed: fc.boolean() }),
    { maxLength: 12 },
  )
  .map((stages) => stages.map((stage, index): ExistingStage => ({ id: index + 1, ...stage })));

/** What the purchase looks like when the chain is applied: new stages get new ids and are pending. */
function apply(stages: readonly ExistingStage[], chain: ReturnType<typeof rechosenChain>): ExistingStage[] {
  const next = Math.max(0, ...stages.map(({ id }) => id)) + 1;
  return [
    ...chain.keep.flatMap(({ id, priority }) =>
      stages.filter((stage) => stage.id === id).map((stage) => ({ ...stage, priority })),
    ),
    ...chain.add.map(({ stage_type_id, priority }, index) => ({
      id: next + index,
      stage_type_id: stage_type_id ?? 0,
      priority,
      completed: false,
    })),
  ];
}

describe('a chain for another flow', () => {
  test('keeps completed stages at their places, and those that no longer occur in front', () => {
    const stages: ExistingStage[] = [
      { id: 1, stage_type_id: 10, priority: 1, completed: true },
      { id: 2, stage_type_id: 20, priority: 2, completed: true },
      { id: 3, stage_type_id: 30, priority: 2, completed: true },
      { id: 4, stage_type_id: 40, priority: 3, completed: false },
      { id: 5, stage_type_id: 50, priority: 4, completed: false },
    ];
    const flow = [
      { stage_type_id: 10, priority: 1 },
      { stage_type_id: 50, priority: 2 },
      { stage_type_id: 60, priority: 2 },
    ];
    expect(rechosenChain(stages, flow)).toEqual({
      keep: [
        { id: 2, priority: 1 },
        { id: 3, priority: 1 },
        { id: 1, priority: 2 },
        { id: 5, priority: 3 },
      ],
      add: [{ stage_type_id: 60, priority: 3, custom_name: null, note: null }],
    });
  });

  test('a type that occurs twice keeps its stages in their order', () => {
    const stages: ExistingStage[] = [
      { id: 1, stage_type_id: 7, priority: 2, completed: true },
      { id: 2, stage_type_id: 7, priority: 4, completed: false },
    ];
    const flow = [
      { stage_type_id: 7, priority: 5 },
      { stage_type_id: 7, priority: 1 },
    ];
    expect(rechosenChain(stages, flow).keep).toEqual([
      { id: 1, priority: 1 },
      { id: 2, priority: 5 },
    ]);
  });

  test('no completed stage is ever lost, and nothing is kept twice', () => {
    fc.assert(
      fc.property(existing, template, (stages, flow) => {
        const kept = rechosenChain(stages, flow).keep.map(({ id }) => id);
        expect(new Set(kept).size).toBe(kept.length);
        expect(stages.filter(({ completed, id }) => completed && !kept.includes(id))).toEqual([]);
      }),
    );
  });

  test('behind the completed stages without a place stands exactly the flow', () => {
    fc.assert(
      fc.property(existing, template, (stages, flow) => {
        const after = apply(stages, rechosenChain(stages, flow));
        // The stages of the flow are the later ones of each type; what is left over stands in front of all of it.
        const places = [...flow];
        const front: ExistingStage[] = [];
        const levels = Math.max(0, ...after.map(({ priority }) => priority));
        const shift = Array.from({ length: levels + 1 }, (_, shift) => shift).find((shift) => {
          const behind = after.filter(({ priority }) => priority > shift);
          return (
            JSON.stringify(
              sorted(behind.map((stage) => ({ ...stage, priority: stage.priority - shift }))),
            ) === JSON.stringify(sorted(places))
          );
        });
        expect(shift).toBeDefined();
        front.push(...after.filter(({ priority }) => priority <= (shift ?? 0)));
        expect(front.every(({ completed }) => completed)).toBe(true);
        // Their levels have no gaps and stand in the old order.
        expect(new Set(front.map(({ priority }) => priority)).size).toBe(shift);
        const oldPriority = (stage: ExistingStage) => stages.find(({ id }) => id === stage.id)?.priority ?? 0;
        for (const one of front) {
          for (const other of front) {
            expect(Math.sign(one.priority - other.priority)).toBe(
              Math.sign(oldPriority(one) - oldPriority(other)),
            );
          }
        }
      }),
    );
  });

  test('choosing the same flow again changes nothing', () => {
    fc.assert(
      fc.property(existing, template, (stages, flow) => {
        const once = apply(stages, rechosenChain(stages, flow));
        const again = rechosenChain(once, flow);
        expect(again.add).toEqual([]);
        expect(apply(once, again).toSorted((one, other) => one.id - other.id)).toEqual(
          once.toSorted((one, other) => one.id - other.id),
        );
      }),
    );
  });

  test('a pending stage goes only when the flow has no place for it, or a completed one takes it', () => {
    fc.assert(
      fc.property(existing, template, (stages, flow) => {
        const kept = new Set(rechosenChain(stages, flow).keep.map(({ id }) => id));
        for (const type of [1, 2, 3, 4, 5]) {
          const places = flow.filter(({ stage_type_id }) => stage_type_id === type).length;
          const ofType = stages.filter(({ stage_type_id }) => stage_type_id === type);
          const completed = ofType.filter((stage) => stage.completed).length;
          const pendingKept = ofType.filter((stage) => !stage.completed && kept.has(stage.id)).length;
          expect(pendingKept).toBe(Math.min(ofType.length - completed, Math.max(0, places - completed)));
        }
      }),
    );
  });

  test('without a flow only completed stages remain', () => {
    fc.assert(
      fc.property(existing, (stages) => {
        const { keep, add } = rechosenChain(stages, []);
        expect(add).toEqual([]);
        expect(keep).toHaveLength(stages.filter(({ completed }) => completed).length);
      }),
    );
  });
});

function sorted(stages: readonly { stage_type_id: number; priority: number }[]) {
  return stages
    .map(({ stage_type_id, priority }) => [priority, stage_type_id] as const)
    .toSorted(([one, type], [other, otherType]) => one - other || type - otherType);
}
