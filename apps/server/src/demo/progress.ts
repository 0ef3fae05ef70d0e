import type { Draft, DraftPurchase } from './drafts.ts';
import { DAY, duringDay, type LocalTime, workdayAfter } from './local-time.ts';
import { officers, type Person, staffOf } from './people.ts';
import type { Random } from './random.ts';
import { customStages, notes } from './remarks.ts';

/** How far the stages of a purchase have come, and who did what when. */

export interface StageType {
  readonly id: number;
  readonly name: string;
  readonly takes_value: boolean;
  readonly authority_id: number | null;
  readonly auto_flag_days: number | null;
}

export interface Act {
  readonly at: LocalTime;
  readonly by: Person;
}

export interface StageProgress {
  readonly type: StageType;
  readonly priority: number;
  readonly custom_name: string | null;
  readonly created: Act;
  readonly value: string | null;
  readonly note: string | null;
  /** When the level before was complete; null while it is not. */
  readonly ready: LocalTime | null;
  readonly started: Act | null;
  readonly done: Act | null;
}

/** Working days from the moment a stage is ready until it is done. */
const durations: Readonly<Record<string, readonly [least: number, most: number]>> = {
  emf_id: [0, 2],
  information_security: [2, 8],
  letter_of_necessity: [1, 4],
  bom: [1, 5],
  bikushit_id: [1, 3],
  demand_id: [1, 4],
  mnhr: [2, 6],
  Committees: [4, 12],
  blm: [2, 5],
  exemption_committee: [5, 14],
  mission: [3, 9],
  financing_deployment: [3, 8],
  order_id: [1, 4],
};
const OTHER_DURATION = [1, 5] as const;

/** What stands at one place of a chain. */
interface Step {
  readonly type: StageType;
  readonly custom?: { readonly name: string; readonly note: string; readonly created: Act };
}

export function runStages(
  draft: Draft,
  purchase: DraftPurchase,
  flow: readonly { readonly type: StageType; readonly priority: number }[],
  {
    now,
    customType,
    random,
  }: { readonly now: LocalTime; readonly customType: StageType; readonly random: Random },
): StageProgress[] {
  const levels = withCustomStage(levelsOf(flow), draft, purchase, { now, customType, random });
  const stuckLevel = levelThatSticks(levels.length, now - purchase.created, random);
  const stages: StageProgress[] = [];
  let ready: LocalTime | null = purchase.created;
  for (const [index, steps] of levels.entries()) {
    const endless = index === stuckLevel ? random.pick(steps) : undefined;
    const level = steps.map((step) =>
      runStage(step, { draft, purchase, ready, now, random, priority: index + 1, endless: step === endless }),
    );
    stages.push(...level);
    ready = endOf(level);
  }
  return stages;
}

/** When the last of them was done; null while one is pending, and when there are none. */
export function endOf(stages: readonly StageProgress[]): LocalTime | null {
  const times = stages.flatMap(({ done }) => done?.at ?? []);
  return times.length === stages.length && times.length > 0 ? Math.max(...times) : null;
}

function levelsOf(flow: readonly { readonly type: StageType; readonly priority: number }[]): Step[][] {
  const priorities = [...new Set(flow.map(({ priority }) => priority))].toSorted((one, other) => one - other);
  return priorities.map((level) =>
    flow.filter(({ priority }) => priority === level).map(({ type }) => ({ type })),
  );
}

/** A few purchases get a step of their own, soon after they began and behind what has begun by then. */
function withCustomStage(
  levels: Step[][],
  { language, officer }: Draft,
  purchase: DraftPurchase,
  {
    now,
    customType,
    random,
  }: { readonly now: LocalTime; readonly customType: StageType; readonly random: Random },
): Step[][] {
  const at = duringDay(purchase.created, purchase.created, random);
  if (levels.length < 3 || at > now || !random.chance(0.05)) return levels;
  const custom = { ...random.pick(customStages[language]), created: { at, by: officer } };
  return levels.toSpliced(random.integer(2, levels.length - 1), 0, [{ type: customType, custom }]);
}

/** Some purchases come to a halt at some level; undefined: this one does not. */
function levelThatSticks(levels: number, age: number, random: Random): number | undefined {
  const probability = age < 25 * DAY ? 0 : age < 120 * DAY ? 0.16 : 0.04;
  return random.chance(probability) ? random.integer(0, levels - 1) : undefined;
}

function runStage(
  { type, custom }: Step,
  given: {
    readonly draft: Draft;
    readonly purchase: DraftPurchase;
    readonly ready: LocalTime | null;
    readonly now: LocalTime;
    readonly random: Random;
    readonly priority: number;
    readonly endless: boolean;
  },
): StageProgress {
  const { draft, purchase, ready, now, random, priority, endless } = given;
  const { language, officer } = draft;
  const created = custom?.created ?? { at: purchase.created, by: officer };
  const stage = { type, priority, custom_name: custom?.name ?? null, created, note: custom?.note ?? null };
  if (ready === null) return { ...stage, value: null, ready, started: null, done: null };

  const by = random.pick(custom ? officers : staffOf(type.authority_id));
  const days = random.integer(...(durations[type.name] ?? OTHER_DURATION));
  const started = duringDay(workdayAfter(ready, random.integer(0, Math.floor(days / 2))), ready, random);
  const done = duringDay(workdayAfter(ready, days), started, random);
  const isDone = !endless && done <= now;
  const isStarted = isDone || (started <= now && random.chance(0.7));
  return {
    ...stage,
    value: type.takes_value && isDone && random.chance(0.97) ? nineDigits(random) : null,
    note: stage.note ?? (isStarted && random.chance(0.07) ? random.pick(notes[language]) : null),
    ready,
    started: isStarted ? { at: started, by } : null,
    done: isDone ? { at: done, by } : null,
  };
}

function nineDigits(random: Random): string {
  return String(random.integer(100_000_000, 999_999_999));
}
