import { stageTypes } from '@calculaud/contract/catalog';
import type { Purchase } from '@calculaud/contract/purchases';
import { createPurpose, getPurpose } from '@calculaud/contract/purposes';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, testApp, type TestResponse } from '../testing/app.ts';

/**
 * What the database derives from stages (contract 3.5 and 3.8), against a model of the two sections: random edits
 * through the API, and after each one every derived member of the purpose is compared with the model.
 */

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

interface Stage {
  readonly id: number;
  readonly type: number;
  readonly priority: number;
  readonly completed: string | null;
}

/** By id of the stage type. */
type Authorities = ReadonlyMap<number, number | null>;

const daysBetween = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 86_400_000;
const latest = (dates: readonly (string | null)[]): string | null =>
  dates.reduce((last, date) => (date !== null && (last === null || date > last) ? date : last), null);

/** 3.5: of the stages whose type has an authority the first in this order. */
function pendingAuthority(stages: readonly Stage[], authorities: Authorities): number | null {
  const withAuthority = stages.filter(({ type }) => authorities.get(type) != null);
  const pending = withAuthority.filter(({ completed }) => completed === null);
  const [first] = (pending.length > 0 ? pending : withAuthority).toSorted(
    (one, other) =>
      (pending.length > 0 ? one.priority - other.priority : other.priority - one.priority) ||
      one.type - other.type,
  );
  return first ? (authorities.get(first.type) ?? null) : null;
}

/** 3.8, member by member. */
function derived(stages: readonly Stage[], today: string) {
  const completedAt = (priority: number) =>
    latest(stages.filter((stage) => stage.priority === priority).map(({ completed }) => completed));
  const priorities = [...new Set(stages.map(({ priority }) => priority))].toSorted(
    (one, other) => one - other,
  );
  const pending = stages.filter(({ completed }) => completed === null);
  const current = pending.length === 0 ? null : Math.min(...pending.map(({ priority }) => priority));
  const reference = current === null || current === 1 ? null : completedAt(current - 1);
  return {
    levels: priorities.map((priority) =>
      stages
        .filter((stage) => stage.priority === priority)
        .map(({ id }) => id)
        .toSorted((one, other) => one - other),
    ),
    days: Object.fromEntries(
      stages.map(({ id, priority, completed }) => {
        const before = priority === 1 ? null : completedAt(priority - 1);
        return [id, before === null ? null : daysBetween(before, completed ?? today)];
      }),
    ),
    currentPending: pending
      .filter(({ priority }) => priority === current)
      .map(({ id }) => id)
      .toSorted((one, other) => one - other),
    daysSinceLast: reference === null ? null : daysBetween(reference, today),
  };
}

/** The same from what the API shows. */
function shown(purchase: Purchase) {
  return {
    levels: purchase.flow_stages.map((level) => [level].flat().map(({ id }) => id)),
    days: Object.fromEntries(
      purchase.flow_stages.flat().map(({ id, days_since_previous_stage }) => [id, days_since_previous_stage]),
    ),
    currentPending: purchase.current_pending_stages.map(({ id }) => id),
    daysSinceLast: purchase.days_since_last_completion,
  };
}

function stagesOf(purchase: Purchase): Stage[] {
  return purchase.flow_stages.flat().map((stage) => ({
    id: stage.id,
    type: stage.stage_type_id,
    priority: stage.priority,
    completed: stage.completion_date,
  }));
}

async function show(id: number) {
  const day = () => new Date().toISOString().slice(0, 10);
  for (;;) {
    const today = day();
    const purpose = (await app.get(`/purposes/${id}`)).as(getPurpose);
    // At midnight the answer may be about either day.
    if (day() === today) return { purpose, today };
  }
}

async function authorities(): Promise<Authorities> {
  const { items } = (await app.get('/stage-types/?limit=200')).as(stageTypes.list);
  return new Map(items.map(({ id, responsible_authority_id }) => [id, responsible_authority_id]));
}

async function assertModel(purposeId: number): Promise<void> {
  const { purpose, today } = await show(purposeId);
  const known = await authorities();
  for (const purchase of purpose.purchases) {
    const stages = stagesOf(purchase);
    expect(shown(purchase)).toEqual(derived(stages, today));
    expect(purchase.pending_authority?.id ?? null).toBe(pendingAuthority(stages, known));
  }
  expect(purpose.pending_authority?.id ?? null).toBe(
    pendingAuthority(purpose.purchases.flatMap(stagesOf), known),
  );
}

/** Which of the stages or purchases that there are: a fraction of their number. */
const pick = fc.double({ min: 0, max: 0.999999, noNaN: true });
const date = fc.option(
  fc
    .integer({ min: 0, max: 500 })
    .map((days) => new Date(Date.UTC(2025, 11, 1) + days * 86_400_000).toISOString().slice(0, 10)),
  { freq: 4 },
);
const type = fc.integer({ min: 6, max: 18 });
const operation = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('create' as const), amount: fc.constantFrom(1, 500_000) }),
  },
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('complete' as const), stage: pick, date }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('chain' as const),
      purchase: pick,
      levels: fc.array(
        fc.array(
          fc.oneof(
            { weight: 4, arbitrary: fc.record({ stage: pick }) },
            fc.record({ type }),
            fc.record({ custom: fc.constant('custom') }),
          ),
          { maxLength: 3 },
        ),
        { maxLength: 6 },
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('rechoose' as const),
      purchase: pick,
      lines: fc.integer({ min: 0, max: 2 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), purchase: pick }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('authority' as const),
      type,
      authority: fc.option(fc.integer({ min: 1, max: 3 })),
    }),
  },
);
type Operation = typeof operation extends fc.Arbitrary<infer Step> ? Step : never;

function picked<Item>(items: readonly Item[], fraction: number): Item | undefined {
  return items[Math.floor(fraction * items.length)];
}

async function perform(purposeId: number, step: Operation): Promise<void> {
  const { purchases } = (await show(purposeId)).purpose;
  const purchase = 'purchase' in step ? picked(purchases, step.purchase) : undefined;
  for (const { status, text } of await requests(purposeId, purchases, purchase, step)) {
    if (status >= 300) throw new Error(`${step.kind} answered ${status}: ${text}`);
  }
}

async function requests(
  purposeId: number,
  purchases: readonly Purchase[],
  purchase: Purchase | undefined,
  step: Operation,
): Promise<TestResponse[]> {
  switch (step.kind) {
    case 'create': {
      const costs = [{ currency: 'SUPPORT_USD', amount: step.amount }];
      return [await app.post('/purchases', { purpose_id: purposeId, costs })];
    }
    case 'complete': {
      const stage = picked(
        purchases.flatMap((one) => one.flow_stages.flat()),
        step.stage,
      );
      return stage ? [await app.patch(`/stages/${stage.id}`, { completion_date: step.date })] : [];
    }
    case 'authority':
      return [await app.patch(`/stage-types/${step.type}`, { responsible_authority_id: step.authority })];
    case 'chain':
      return purchase
        ? [await app.patch(`/purchases/${purchase.id}`, { stages: chainOf(purchase, step.levels) })]
        : [];
    case 'rechoose': {
      const costs = Array.from({ length: step.lines }, () => ({ currency: 'ILS', amount: 1 }));
      return purchase
        ? [
            await app.put(`/purchases/${purchase.id}/costs`, { costs }),
            await app.post(`/purchases/${purchase.id}/flow`),
          ]
        : [];
    }
    case 'delete':
      break;
  }
  return purchase ? [await app.delete(`/purchases/${purchase.id}`)] : [];
}

function chainOf(purchase: Purchase, levels: Extract<Operation, { kind: 'chain' }>['levels']) {
  const own = purchase.flow_stages.flat();
  return levels.map((level) =>
    level.flatMap((item): object[] => {
      if ('type' in item) return [{ stage_type_id: item.type }];
      if ('custom' in item) return [{ custom_name: item.custom }];
      const stage = picked(own, item.stage);
      return stage ? [{ id: stage.id }] : [];
    }),
  );
}

test('what is derived from stages is what the contract says, after any sequence of edits', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 14 }), async (steps) => {
      const { id } = (await app.post('/purposes', {})).as(createPurpose);
      await perform(id, { kind: 'create', amount: 1 });
      for (const step of steps) {
        await perform(id, step);
        await assertModel(id);
      }
    }),
    { numRuns: 20 },
  );
  // And working it out from scratch changes no row.
  const before = await writtenBy();
  expect(before.length).toBeGreaterThan(50);
  await sql`select refresh_progress(array(select id from purpose))`.execute(app.db);
  expect(await writtenBy()).toEqual(before);
}, 60_000);

/** Of every row the transaction that wrote it. */
async function writtenBy() {
  const { rows } = await sql`
    select 'purpose' as entity, id, xmin::text from purpose union all
    select 'purchase', id, xmin::text from purchase union all
    select 'stage', id, xmin::text from stage order by 1, 2`.execute(app.db);
  return rows;
}
