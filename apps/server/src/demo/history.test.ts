import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Draft, draftPurposes } from './drafts.ts';
import { type History, tellHistory } from './history.ts';
import { DAY, isWorkday, localText, MINUTE, startOfDay } from './local-time.ts';
import type { StageProgress, StageType } from './progress.ts';

function stageType(id: number, name: string, takes_value: boolean, authority_id: number | null): StageType {
  return { id, name, takes_value, authority_id, auto_flag_days: null };
}

const emf = stageType(6, 'emf_id', true, 1);
const security = stageType(7, 'information_security', false, 3);
const letter = stageType(8, 'letter_of_necessity', false, 2);
const bom = { ...stageType(9, 'bom', false, 1), auto_flag_days: 4 };
const committees = stageType(13, 'Committees', false, 2);
const ours = stageType(40, 'a type of ours', false, 77);
const order = stageType(18, 'order_id', true, 1);
const customType = stageType(19, 'custom', false, null);
const chain = [[emf], [security, letter, bom], [committees], [security], [ours], [order]];
const flow = chain.flatMap((types, level) => types.map((type) => ({ type, priority: level + 1 })));

interface Told {
  readonly draft: Draft;
  readonly history: History;
}

const autoFlagDays = 10;

function tellAll(now: number): Told[] {
  return draftPurposes(now).map((draft) => ({
    draft,
    history: tellHistory(
      draft,
      draft.purchases.map(() => flow),
      { now, autoFlagDays, customType },
    ),
  }));
}

function levels(stages: readonly StageProgress[]): StageProgress[][] {
  const count = Math.max(0, ...stages.map(({ priority }) => priority));
  return Array.from({ length: count }, (_, index) => stages.filter(({ priority }) => priority === index + 1));
}

function moments({ draft, history }: Told): number[] {
  return [
    draft.created,
    ...draft.purchases.map(({ created }) => created),
    ...draft.documents.map(({ at }) => at),
    ...history.purchases
      .flat()
      .flatMap(({ created, ready, started, done }) => [
        created.at,
        ready ?? created.at,
        started?.at ?? created.at,
        done?.at ?? created.at,
      ]),
    ...history.statuses.map(({ at }) => at),
    ...(history.flag ? [history.flag.at] : []),
  ];
}

/** Any second of some years, nights and weekends included. */
const instants = fc
  .integer({ min: Date.UTC(2024, 0, 1) / 1000, max: Date.UTC(2031, 0, 1) / 1000 })
  .map((seconds) => seconds * 1000);

/** A moment at which the demonstration has a purpose of which this does not hold, and that purpose. */
function exception(holds: (told: Told, now: number) => boolean): object | undefined {
  const result = fc.check(
    fc.property(instants, (now) => tellAll(now).every((told) => holds(told, now))),
    { numRuns: 6 },
  );
  if (!result.counterexample) return undefined;
  const [now] = result.counterexample;
  return {
    now: localText(now),
    told: tellAll(now).find((told) => !holds(told, now)),
    error: result.errorInstance,
  };
}

function timesOf(stages: readonly StageProgress[]): number[] {
  return stages.flatMap(({ done }) => done?.at ?? []);
}

describe('whenever the demonstration is made', () => {
  test('nothing happens before its purpose was filed, or in the future', () => {
    const found = exception((told, now) => {
      const all = moments(told);
      return Math.min(...all) === told.draft.created && Math.max(...all) <= now;
    });
    expect(found).toBeUndefined();
  });

  test('a level of stages begins when the one before it is complete', () => {
    const inTurn = (stages: readonly StageProgress[], begin: number): boolean => {
      let ready: number | null = begin;
      return levels(stages).every((level) => {
        const since = ready;
        ready = timesOf(level).length === level.length ? Math.max(...timesOf(level)) : null;
        return level.length > 0 && level.every((stage) => stage.ready === since);
      });
    };
    const found = exception(({ draft, history }) =>
      history.purchases.every((stages, index) => inTurn(stages, draft.purchases[index]?.created ?? 0)),
    );
    expect(found).toBeUndefined();
  });

  test('a stage is ready, then started, then done', () => {
    const found = exception(({ history }) =>
      history.purchases.flat().every(({ ready, started, done, created }) => {
        const known = [ready, started?.at ?? null, done?.at ?? null];
        const times = known.filter((time) => time !== null);
        // What is not known is the end of it.
        return (
          known.slice(0, times.length).every((time) => time !== null) &&
          [created.at, ...times].every((time, index, all) => time >= (all[index - 1] ?? time))
        );
      }),
    );
    expect(found).toBeUndefined();
  });

  test('each stage takes a few days of work', () => {
    const found = exception(({ history }) =>
      history.purchases
        .flat()
        .every(
          ({ done, ready }) =>
            !done ||
            (isWorkday(done.at) && (startOfDay(done.at) - startOfDay(ready ?? -Infinity)) / DAY <= 20),
        ),
    );
    expect(found).toBeUndefined();
  });

  test('numbers stand only where the stage type takes one, and only when it is done', () => {
    const found = exception(({ history }) =>
      history.purchases
        .flat()
        .every(
          ({ value, type, done }) =>
            value === null || (/^[1-9]\d{8}$/.test(value) && type.takes_value && done !== null),
        ),
    );
    expect(found).toBeUndefined();
  });

  test('the flow is kept, at most with a step of its own in between', () => {
    const text = (types: readonly (readonly StageType[])[]): string =>
      types.map((level) => level.map(({ name }) => name).join('+')).join(' > ');
    const found = exception(({ history }) =>
      history.purchases.every((stages) => {
        const all = levels(stages);
        const own = all.filter((level) => level.every(({ custom_name }) => custom_name === null));
        return (
          text(own.map((level) => level.map(({ type }) => type))) === text(chain) &&
          all.length - own.length <= 1
        );
      }),
    );
    expect(found).toBeUndefined();
  });

  test('the statuses follow each other', () => {
    const found = exception(({ history: { statuses } }) =>
      statuses.every(
        ({ from, to, at }, index) =>
          from === (statuses[index - 1]?.to ?? null) &&
          at >= (statuses[index - 1]?.at ?? at) &&
          (to === 'IN_PROGRESS') === (index === 0) &&
          (to === 'SIGNED') === (index === 1),
      ),
    );
    expect(found).toBeUndefined();
  });

  test('a purpose is signed on the day when its last order was placed, and not before', () => {
    const found = exception(({ history: { statuses, purchases } }, now) => {
      const stages = purchases.flat();
      const placed = Math.max(...stages.map(({ done }) => done?.at ?? Infinity));
      const signed = statuses[1]?.at;
      if (stages.length === 0 || signed === undefined) {
        return stages.length === 0 ? signed === undefined : placed > now - 90 * MINUTE;
      }
      return signed > placed && signed <= placed + 90 * MINUTE;
    });
    expect(found).toBeUndefined();
  });

  test('the last event is the last that happened', () => {
    const found = exception((told) => told.history.last.at === Math.max(...moments(told)));
    expect(found).toBeUndefined();
  });

  test('the job has flagged what has waited for too long, and nothing else', () => {
    const isLate = (stages: readonly StageProgress[], now: number): boolean =>
      levels(stages).some((level, index, all) => {
        const before = all[index - 1]?.map(({ done }) => done?.at ?? Infinity) ?? [Infinity];
        const days = (startOfDay(now) - startOfDay(Math.max(...before))) / DAY;
        return level.some(({ done, type }) => !done && days > (type.auto_flag_days ?? autoFlagDays));
      });
    const found = exception(
      ({ history: { purchases, flag } }, now) =>
        Boolean(flag?.cause) === purchases.some((stages) => isLate(stages, now)),
    );
    expect(found).toBeUndefined();
  });
});

test('no two purposes are described alike', () => {
  const drafts = draftPurposes(Date.UTC(2026, 10, 23, 9));
  expect(new Set(drafts.map(({ description }) => description)).size).toBe(drafts.length);
});

test('there is something of everything', () => {
  const told = tellAll(Date.UTC(2026, 10, 23, 9));
  const count = (matches: (one: Told) => boolean): number => told.filter(matches).length;
  const status = ({ history }: Told) => history.statuses.at(-1)?.to;
  const found = {
    inProgress: count((one) => status(one) === 'IN_PROGRESS'),
    signed: count((one) => status(one) === 'SIGNED'),
    partiallySupplied: count((one) => status(one) === 'PARTIALLY_SUPPLIED'),
    completed: count((one) => status(one) === 'COMPLETED'),
    reopened: count(({ history }) => history.statuses.some(({ from }) => from === 'COMPLETED')),
    withoutPurchase: count(({ draft }) => draft.purchases.length === 0),
    twoPurchases: count(({ draft }) => draft.purchases.length === 2),
    customStages: count(({ history }) => history.purchases.flat().some((stage) => stage.custom_name)),
    flaggedByJob: count(({ history }) => history.flag?.cause != null),
    flaggedByPerson: count(({ history }) => history.flag?.by != null),
    hebrew: count(({ draft }) => draft.language === 'he'),
    ofTheLastMonth: count(({ draft }) => draft.created > Date.UTC(2026, 9, 23)),
  };
  expect(Object.entries(found).filter(([, many]) => many < 4)).toEqual([]);
  const files = told.flatMap(({ draft }) => draft.documents).length;
  expect(files).toBeGreaterThan(25);
  expect(files).toBeLessThan(60);
});

test('the same day tells the same story', () => {
  const now = Date.UTC(2026, 10, 23, 9);
  expect(tellAll(now)).toEqual(tellAll(now));
});
