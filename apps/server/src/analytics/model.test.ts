import * as contract from '@calculaud/contract/analytics';
import { purposeStatuses } from '@calculaud/contract/purposes';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Model, type ModelFilter } from './testing/model.ts';
import {
  BOM,
  EMF,
  LETTER,
  openOrganisation,
  type Organisation,
  type Query,
  SECURITY_REVIEW,
} from './testing/organisation.ts';
import type { NewStage, Records } from './testing/records.ts';

let organisation: Organisation;
let records: Records;
beforeAll(async () => {
  organisation = await openOrganisation();
  ({ records } = organisation);
});
afterAll(() => organisation.app.close());

// Few, so that they meet; most of them at the ends of months.
const day = fc.constantFrom(
  '2025-01-20',
  '2025-01-31',
  '2025-02-01',
  '2025-02-14',
  '2025-02-28',
  '2025-03-01',
  '2025-03-02',
  '2025-03-31',
  '2025-04-01',
  '2025-04-20',
);
// Around the hours at which days and months begin in one zone and not in the other.
const instant = fc
  .tuple(day, fc.constantFrom('00:00', '12:00', '20:59', '21:00', '22:00', '23:59'))
  .map(([date, time]) => `${date}T${time}:00.000Z`);
const index = fc.nat({ max: 1000 });
const status = fc.constantFrom(...purposeStatuses, 'COMPLETED' as const);
const type = fc.option(fc.nat({ max: 2 }));
const stage = fc.record({
  type: fc.nat({ max: 4 }),
  priority: fc.integer({ min: 1, max: 4 }),
  completed: fc.option(day, { freq: 4 }),
});
const cost = fc.record({
  currency: fc.constantFrom('ILS', 'SUPPORT_USD', 'AVAILABLE_USD'),
  amount: fc.integer({ min: 0, max: 1_000_000 }).map((cents) => cents / 100),
});
const budgetSource = fc.option(fc.integer({ min: 1, max: 2 }));
type Generated<A> = A extends fc.Arbitrary<infer T> ? T : never;

const command = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('purpose' as const), type, status, at: instant }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('purchase' as const),
      index,
      budgetSource,
      costs: fc.array(cost, { maxLength: 2 }),
      stages: fc.array(stage, { maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('content' as const),
      index,
      service: fc.nat({ max: 5 }),
      quantity: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 9, arbitrary: fc.record({ kind: fc.constant('status' as const), index, status, at: instant }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('serviceType' as const), index, type }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('budgetSource' as const), index, budgetSource }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cost' as const), index, cost }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stage' as const), index, stage }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('complete' as const), index, completed: fc.option(day) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('move' as const),
      index,
      priority: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      index,
      what: fc.constantFrom('purpose', 'purchase', 'cost', 'stage'),
    }),
  },
);
const filter = fc.record({
  start: fc.option(day, { nil: undefined }),
  end: fc.option(day, { nil: undefined }),
  serviceTypes: fc.option(fc.uniqueArray(fc.nat({ max: 2 }), { minLength: 1, maxLength: 2 }), {
    nil: undefined,
  }),
});

test('after any series of changes every figure is what the definitions say', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 20, maxLength: 60, size: 'max' }),
      fc.array(filter, { minLength: 2, maxLength: 2 }),
      status,
      async (commands, filters, target) => {
        await records.removeAll();
        for (const given of commands) await run(given);
        for (const given of filters) await compare(given, target);
      },
    ),
    // Shrinking ends before the test does, so that the counterexample is shown.
    { numRuns: 30, plugins: [fc.interruptAfterTimeLimit(90_000)] },
  );
}, 120_000);

const typeIds = (): number[] => [...organisation.catalogue.serviceTypes.keys()];
const serviceIds = (): number[] => [...organisation.catalogue.services.keys()];
const typeId = (nth: number | null): number | null => (nth === null ? null : (typeIds()[nth] ?? null));
const stageOf = ({ type, ...rest }: NewStage): NewStage => ({
  ...rest,
  type: [EMF, SECURITY_REVIEW, LETTER, BOM, organisation.nobodys][type] ?? EMF,
});

async function run(given: Generated<typeof command>): Promise<void> {
  if (given.kind === 'purpose') {
    await records.addPurpose({ serviceType: typeId(given.type), status: given.status, created: given.at });
    return;
  }
  const at = <T>(list: readonly T[]): T | undefined => list[given.index % Math.max(list.length, 1)];
  const purpose = at(records.purposes);
  if (!purpose) return;
  const purchase = at(purpose.purchases);
  const oneStage = purchase && at(purchase.stages);
  const oneCost = purchase && at(purchase.costs);
  switch (given.kind) {
    case 'purchase':
      await records.addPurchase(purpose, { ...given, stages: given.stages.map(stageOf) });
      break;
    case 'content':
      await records.addContent(purpose, serviceIds()[given.service] ?? 0, given.quantity);
      break;
    case 'status':
      await records.setStatus(purpose, given.status, given.at);
      break;
    case 'serviceType':
      await records.setServiceType(purpose, typeId(given.type));
      break;
    case 'budgetSource':
      if (purchase) await records.setBudgetSource(purchase, given.budgetSource);
      break;
    case 'cost':
      if (purchase) await records.addCost(purchase, given.cost);
      break;
    case 'stage':
      if (purchase) await records.addStage(purchase, stageOf(given.stage));
      break;
    case 'complete':
      if (oneStage) await records.complete(oneStage, given.completed);
      break;
    case 'move':
      if (oneStage) await records.move(oneStage, given.priority);
      break;
    case 'remove':
      if (given.what === 'purpose') await records.removePurpose(purpose);
      else if (given.what === 'purchase' && purchase) await records.removePurchase(purpose, purchase);
      else if (given.what === 'cost' && purchase && oneCost) await records.removeCost(purchase, oneCost);
      else if (given.what === 'stage' && purchase && oneStage) await records.removeStage(purchase, oneStage);
      break;
  }
}

async function compare(given: Generated<typeof filter>, target: string): Promise<void> {
  const wanted: ModelFilter = {
    ...given,
    serviceTypes: given.serviceTypes?.map((nth) => typeIds()[nth] ?? 0),
  };
  const query: Query = {
    ...(wanted.start ? { start_date: wanted.start } : {}),
    ...(wanted.end ? { end_date: wanted.end } : {}),
    ...(wanted.serviceTypes ? { service_type_id: wanted.serviceTypes } : {}),
  };
  const model = new Model(records.purposes, organisation.catalogue, wanted);
  const { ask } = organisation;
  const answers = {
    A: await ask(contract.serviceTypesDistribution, query),
    B: await ask(contract.statusesDistribution, query),
    C: await ask(contract.pendingAuthoritiesDistribution, query),
    D: await ask(contract.pendingStagesDistribution, query),
    E: await ask(contract.serviceTypesByStatus, query, target),
    F: await ask(contract.serviceQuantities, query),
    G: await ask(contract.costsByServiceType, query),
    H: await ask(contract.costsByBudgetSource, query),
    I: await ask(contract.purposeProcessingTimes, query),
    J: await ask(contract.stageProcessingTimes, query),
  };
  expect(toSixDecimals(answers)).toEqual(
    toSixDecimals({
      A: model.serviceTypesDistribution(),
      B: model.statusesDistribution(),
      C: model.pendingAuthoritiesDistribution(),
      D: model.pendingStagesDistribution(),
      E: model.serviceTypesByStatus(target),
      F: model.serviceQuantities(),
      G: model.costsByServiceType(),
      H: model.costsByBudgetSource(),
      I: model.purposeProcessingTimes(),
      J: model.stageProcessingTimes(),
    }),
  );
}

/** The model adds floating-point numbers, the database exact ones. */
function toSixDecimals(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_, item: unknown) => (typeof item === 'number' ? Number(item.toFixed(6)) : item)),
  );
}
