import * as contract from '@calculaud/contract/analytics';
import { transaction } from '@calculaud/db/transaction';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  BOM,
  EMF,
  LETTER,
  openOrganisation,
  type Organisation,
  type Query,
  SECURITY_REVIEW,
} from './testing/organisation.ts';
import type { Records } from './testing/records.ts';

let organisation: Organisation;
let records: Records;
let ask: Organisation['ask'];
const serviceType = (name: string): number => organisation.serviceType(name);
const service = (name: string): number => organisation.service(name);

beforeAll(async () => {
  organisation = await openOrganisation();
  ({ records, ask } = organisation);
});
afterAll(() => organisation.app.close());

afterEach(() => records.removeAll());

describe('live purposes by service type', () => {
  test('counts those with a type that are not completed, the most first, equal ones by name', async () => {
    for (const [name, count] of [
      ['Beta', 1],
      ['Gamma', 2],
      ['Alpha', 1],
    ] as const) {
      for (let n = 0; n < count; n += 1) await records.addPurpose({ serviceType: serviceType(name) });
    }
    await records.addPurpose({ serviceType: serviceType('Alpha'), status: 'COMPLETED' });
    await records.addPurpose({ serviceType: null });
    expect(await ask(contract.serviceTypesDistribution)).toEqual({
      data: [
        { id: serviceType('Gamma'), name: 'Gamma', count: 2 },
        { id: serviceType('Alpha'), name: 'Alpha', count: 1 },
        { id: serviceType('Beta'), name: 'Beta', count: 1 },
      ],
    });
  });

  test('a repeated service_type_id asks for several types', async () => {
    for (const name of ['Alpha', 'Beta', 'Gamma'])
      await records.addPurpose({ serviceType: serviceType(name) });
    const { data } = await ask(contract.serviceTypesDistribution, {
      service_type_id: [serviceType('Alpha'), serviceType('Gamma')],
    });
    expect(data.map(({ name }) => name)).toEqual(['Alpha', 'Gamma']);
  });
});

describe('live purposes by status', () => {
  test('counts those without a type, too, and orders equal ones as the statuses are declared', async () => {
    await records.addPurpose({ status: 'PARTIALLY_SUPPLIED' });
    await records.addPurpose({ status: 'SIGNED', serviceType: serviceType('Beta') });
    await records.addPurpose({ status: 'IN_PROGRESS' });
    await records.addPurpose({ status: 'IN_PROGRESS' });
    await records.addPurpose({ status: 'COMPLETED' });
    expect((await ask(contract.statusesDistribution)).data).toEqual([
      { status: 'IN_PROGRESS', count: 2 },
      { status: 'SIGNED', count: 1 },
      { status: 'PARTIALLY_SUPPLIED', count: 1 },
    ]);
    expect((await ask(contract.statusesDistribution, { service_type_id: serviceType('Beta') })).data).toEqual(
      [{ status: 'SIGNED', count: 1 }],
    );
  });
});

describe('live purposes by pending authority', () => {
  test('those that wait for nobody come last, however many they are', async () => {
    const waitingFor = async (type: number) => {
      const purpose = await records.addPurpose();
      await records.addPurchase(purpose, { stages: [{ type, priority: 1 }] });
    };
    await waitingFor(LETTER);
    await waitingFor(SECURITY_REVIEW);
    await waitingFor(BOM);
    await waitingFor(BOM);
    await waitingFor(organisation.nobodys);
    await records.addPurpose();
    await records.addPurpose();
    expect((await ask(contract.pendingAuthoritiesDistribution)).data).toEqual([
      { authority_id: 1, authority_name: 'IT Department', count: 2 },
      { authority_id: 2, authority_name: 'Finance Team', count: 1 },
      { authority_id: 3, authority_name: 'Security Office', count: 1 },
      { authority_id: null, authority_name: 'No Pending Authority', count: 3 },
    ]);
  });
});

describe('pending stages', () => {
  test('counts every pending stage of the lowest pending level of each purchase', async () => {
    const alpha = await records.addPurpose({ serviceType: serviceType('Alpha') });
    await records.addPurchase(alpha, {
      stages: [
        { type: EMF, priority: 1, completed: '2025-01-01' },
        { type: LETTER, priority: 2 },
        { type: SECURITY_REVIEW, priority: 2 },
        { type: BOM, priority: 2, completed: '2025-01-02' },
        { type: LETTER, priority: 3 },
      ],
    });
    await records.addPurchase(alpha, { stages: [{ type: LETTER, priority: 1 }] });
    const beta = await records.addPurpose({ serviceType: serviceType('Beta') });
    await records.addPurchase(beta, { stages: [{ type: LETTER, priority: 4 }] });
    const { data } = await ask(contract.pendingStagesDistribution);
    expect(data).toEqual([
      {
        stage_type_id: SECURITY_REVIEW,
        stage_type_name: 'information_security',
        total_count: 1,
        service_types: [{ service_type_id: serviceType('Alpha'), service_type_name: 'Alpha', count: 1 }],
      },
      {
        stage_type_id: LETTER,
        stage_type_name: 'letter_of_necessity',
        total_count: 3,
        service_types: [
          { service_type_id: serviceType('Alpha'), service_type_name: 'Alpha', count: 2 },
          { service_type_id: serviceType('Beta'), service_type_name: 'Beta', count: 1 },
        ],
      },
    ]);
  });

  test('leaves out completed purposes, purposes without a type and purchases that wait for nothing', async () => {
    for (const given of [{ serviceType: serviceType('Alpha'), status: 'COMPLETED' }, { serviceType: null }]) {
      await records.addPurchase(await records.addPurpose(given), { stages: [{ type: EMF, priority: 1 }] });
    }
    await records.addPurchase(await records.addPurpose({ serviceType: serviceType('Alpha') }), {
      stages: [{ type: EMF, priority: 1, completed: '2025-01-01' }],
    });
    expect(await ask(contract.pendingStagesDistribution)).toEqual({ data: [] });
  });
});

test('the live figures do not look at dates, not even at malformed ones', async () => {
  await records.addPurchase(await records.addPurpose({ serviceType: serviceType('Alpha') }), {
    stages: [{ type: EMF, priority: 1 }],
  });
  for (const endpoint of [
    contract.serviceTypesDistribution,
    contract.statusesDistribution,
    contract.pendingAuthoritiesDistribution,
    contract.pendingStagesDistribution,
  ]) {
    const { data } = await ask(endpoint, { start_date: 'yesterday', end_date: '1999-99-99' });
    expect(data).toHaveLength(1);
  }
});

describe('purposes that reached a status', () => {
  test('counts a purpose once, whatever its status is now, on the days of the change', async () => {
    const reopened = await records.addPurpose({ serviceType: serviceType('Beta') });
    await records.setStatus(reopened, 'COMPLETED', '2025-03-01T10:00:00Z');
    await records.setStatus(reopened, 'IN_PROGRESS', '2025-03-02T10:00:00Z');
    await records.setStatus(reopened, 'COMPLETED', '2025-03-03T10:00:00Z');
    await records.setStatus(reopened, 'SIGNED', '2025-03-04T10:00:00Z');
    await records.addPurpose({
      serviceType: serviceType('Alpha'),
      status: 'COMPLETED',
      created: '2025-03-10T10:00:00Z',
    });
    await records.addPurpose({ serviceType: null, status: 'COMPLETED' });
    expect(await ask(contract.serviceTypesByStatus, {}, 'COMPLETED')).toEqual({
      data: [
        { service_type_id: serviceType('Alpha'), service_type_name: 'Alpha', count: 1 },
        { service_type_id: serviceType('Beta'), service_type_name: 'Beta', count: 1 },
      ],
      total_count: 2,
      target_status: 'COMPLETED',
    });
    const early = { start_date: '2025-03-01', end_date: '2025-03-02' };
    expect((await ask(contract.serviceTypesByStatus, early, 'COMPLETED')).total_count).toBe(1);
  });

  test('the days are those of the organisation, both ends included', async () => {
    // 22:30 UTC is 00:30 of the next day in Jerusalem in winter.
    await records.addPurpose({ serviceType: serviceType('Alpha'), created: '2025-01-14T22:30:00Z' });
    const total = async (start_date: string, end_date: string) =>
      (await ask(contract.serviceTypesByStatus, { start_date, end_date }, 'IN_PROGRESS')).total_count;
    expect(await total('2025-01-15', '2025-01-15')).toBe(1);
    expect(await total('2025-01-14', '2025-01-14')).toBe(0);
    expect(await total('2025-01-16', '2025-01-16')).toBe(0);
  });

  test('an unknown status is refused', async () => {
    const response = await organisation.app.get('/analytics/service-types/DONE/distribution');
    expect(response.status).toBe(422);
    expect(response.json()).toMatchObject({ detail: [{ type: 'enum', loc: ['path', 'status'] }] });
  });
});

describe('quantities of services', () => {
  test('stand under the type of the service, filtered by that of the purpose', async () => {
    const alpha = await records.addPurpose({ serviceType: serviceType('Alpha') });
    await records.addContent(alpha, service('Beta two'), 3);
    await records.addContent(alpha, service('Beta one'), 4);
    await records.addContent(alpha, service('Gamma two'), 1);
    const gamma = await records.addPurpose({ serviceType: serviceType('Gamma'), status: 'COMPLETED' });
    await records.addContent(gamma, service('Beta two'), 1);
    await records.addContent(gamma, service('Gamma one'), 1);
    expect((await ask(contract.serviceQuantities)).data).toEqual([
      {
        service_type_id: serviceType('Gamma'),
        service_type_name: 'Gamma',
        total_quantity: 2,
        services: [
          { service_id: service('Gamma one'), service_name: 'Gamma one', quantity: 1 },
          { service_id: service('Gamma two'), service_name: 'Gamma two', quantity: 1 },
        ],
      },
      {
        service_type_id: serviceType('Beta'),
        service_type_name: 'Beta',
        total_quantity: 8,
        services: [
          { service_id: service('Beta one'), service_name: 'Beta one', quantity: 4 },
          { service_id: service('Beta two'), service_name: 'Beta two', quantity: 4 },
        ],
      },
    ]);
    const { data } = await ask(contract.serviceQuantities, { service_type_id: serviceType('Gamma') });
    expect(data.map(({ service_type_name, total_quantity }) => [service_type_name, total_quantity])).toEqual([
      ['Gamma', 1],
      ['Beta', 1],
    ]);
  });
});

describe('costs', () => {
  test('by service type: sums per currency, totals at the configured rate, unknown last', async () => {
    const untyped = await records.addPurpose({ serviceType: null });
    await records.addPurchase(untyped, { costs: [{ currency: 'ILS', amount: 1_000_000 }] });
    const alpha = await records.addPurpose({ serviceType: serviceType('Alpha'), status: 'COMPLETED' });
    await records.addPurchase(alpha, {
      costs: [
        { currency: 'ILS', amount: 7 },
        { currency: 'SUPPORT_USD', amount: 10.25 },
        { currency: 'SUPPORT_USD', amount: 0.25 },
      ],
    });
    await records.addPurchase(alpha, { costs: [{ currency: 'AVAILABLE_USD', amount: 1 }] });
    const beta = await records.addPurpose({ serviceType: serviceType('Beta') });
    await records.addPurchase(beta, { costs: [{ currency: 'ILS', amount: 100 }] });
    await records.addPurchase(await records.addPurpose({ serviceType: serviceType('Gamma') }));
    expect((await ask(contract.costsByServiceType)).data).toEqual([
      {
        service_type_id: serviceType('Beta'),
        service_type_name: 'Beta',
        amounts: amounts({ ils: 100, total_usd: 100 / 3.5, total_ils: 100 }),
      },
      {
        service_type_id: serviceType('Alpha'),
        service_type_name: 'Alpha',
        amounts: amounts({ ils: 7, support_usd: 10.5, available_usd: 1, total_usd: 13.5, total_ils: 47.25 }),
      },
      {
        service_type_id: null,
        service_type_name: 'Unknown',
        amounts: amounts({ ils: 1_000_000, total_usd: 1_000_000 / 3.5, total_ils: 1_000_000 }),
      },
    ]);
  });

  test('by budget source: that of the purchase, also after it was changed or deleted', async () => {
    const purpose = await records.addPurpose({ serviceType: serviceType('Alpha') });
    const source = await organisation.insert(`insert into budget_source (name) values ('Short-lived')`);
    const purchase = await records.addPurchase(purpose, {
      budgetSource: 1,
      costs: [{ currency: 'ILS', amount: 0 }],
    });
    const names = async () =>
      (await ask(contract.costsByBudgetSource)).data.map(({ budget_source_name }) => budget_source_name);
    expect(await names()).toEqual(['IT Operations Budget']);
    await records.setBudgetSource(purchase, source);
    expect(await names()).toEqual(['Short-lived']);
    await organisation.app.db.pool.query('delete from budget_source where id = $1', [source]);
    expect(await names()).toEqual(['Unknown']);
  });

  test('the dates are those of the creation of the purpose', async () => {
    const purpose = await records.addPurpose({ created: '2025-01-14T22:30:00Z' });
    await records.addPurchase(purpose, { costs: [{ currency: 'ILS', amount: 5 }] });
    const groups = async (start_date: string, end_date: string) =>
      (await ask(contract.costsByServiceType, { start_date, end_date })).data.length;
    expect(await groups('2025-01-15', '2025-01-15')).toBe(1);
    expect(await groups('2025-01-14', '2025-01-14')).toBe(0);
  });

  test('further currencies are shown apart; dollars and shekels among them belong to the totals', async () => {
    await organisation.app.db.pool.query(
      `insert into currency (code, iso_code, name, position)
       values ('EUR', 'EUR', 'Euro', 8), ('GRANT_USD', 'USD', 'Dollar (grant)', 9) on conflict do nothing`,
    );
    const purpose = await records.addPurpose({ serviceType: serviceType('Alpha') });
    await records.addPurchase(purpose, {
      costs: [
        { currency: 'ILS', amount: 7 },
        { currency: 'GRANT_USD', amount: 10 },
        { currency: 'EUR', amount: 1.5 },
        { currency: 'EUR', amount: 2 },
      ],
    });
    expect((await ask(contract.costsByServiceType)).data[0]?.amounts).toEqual(
      amounts({
        ils: 7,
        total_usd: 12,
        total_ils: 42,
        other: [
          { currency: 'EUR', amount: 3.5 },
          { currency: 'GRANT_USD', amount: 10 },
        ],
      }),
    );
  });

  function amounts(given: Readonly<Record<string, unknown>>) {
    const none = { ils: 0, support_usd: 0, available_usd: 0, total_usd: 0, total_ils: 0, other: [] };
    return { ...none, ...given };
  }
});

describe('processing times of purposes', () => {
  test('from the first emf_id completion to the last change to COMPLETED, one row per purchase', async () => {
    const purpose = await records.addPurpose({ serviceType: serviceType('Alpha') });
    await records.addPurchase(purpose, {
      stages: [
        { type: EMF, priority: 1, completed: '2025-03-05' },
        { type: EMF, priority: 2, completed: '2025-03-01' },
      ],
    });
    await records.addPurchase(purpose, { stages: [{ type: EMF, priority: 1, completed: '2025-03-10' }] });
    await records.addPurchase(purpose, { stages: [{ type: EMF, priority: 1 }] });
    await records.addPurchase(purpose, { stages: [{ type: BOM, priority: 1, completed: '2025-03-10' }] });
    await records.setStatus(purpose, 'COMPLETED', '2025-03-04T10:00:00Z');
    await records.setStatus(purpose, 'IN_PROGRESS', '2025-03-05T10:00:00Z');
    // Already the 7th in Jerusalem.
    await records.setStatus(purpose, 'COMPLETED', '2025-03-06T22:30:00Z');
    await records.setStatus(purpose, 'SIGNED', '2025-03-09T10:00:00Z');
    expect(await ask(contract.purposeProcessingTimes)).toEqual({
      service_types: [
        {
          service_type_id: serviceType('Alpha'),
          service_type_name: 'Alpha',
          count: 2,
          average_processing_days: 1.5,
          min_processing_days: -3,
          max_processing_days: 6,
        },
      ],
      total_purposes: 2,
      distinct_purposes: 1,
    });
    const total = async (start_date: string, end_date: string) =>
      (await ask(contract.purposeProcessingTimes, { start_date, end_date })).total_purposes;
    expect(await total('2025-03-07', '2025-03-07')).toBe(2);
    expect(await total('2025-03-01', '2025-03-06')).toBe(0);
  });

  test('the slowest type comes first, equal ones by name; purposes without a type do not count', async () => {
    for (const [name, day] of [
      ['Gamma', '2025-03-01'],
      ['Beta', '2025-03-01'],
      ['Alpha', '2025-03-02'],
      [null, '2025-01-01'],
    ] as const) {
      const purpose = await records.addPurpose({ serviceType: name && serviceType(name) });
      await records.addPurchase(purpose, { stages: [{ type: EMF, priority: 1, completed: day }] });
      await records.setStatus(purpose, 'COMPLETED', '2025-03-11T10:00:00Z');
    }
    const { service_types, total_purposes } = await ask(contract.purposeProcessingTimes);
    expect(service_types.map(({ service_type_name }) => service_type_name)).toEqual([
      'Beta',
      'Gamma',
      'Alpha',
    ]);
    expect(total_purposes).toBe(3);
  });

  test('averages have two decimals', async () => {
    for (const day of ['2025-03-01', '2025-03-01', '2025-03-02']) {
      const purpose = await records.addPurpose({ serviceType: serviceType('Alpha') });
      await records.addPurchase(purpose, { stages: [{ type: EMF, priority: 1, completed: day }] });
      await records.setStatus(purpose, 'COMPLETED', '2025-03-03T10:00:00Z');
    }
    const [alpha] = (await ask(contract.purposeProcessingTimes)).service_types;
    expect(alpha?.average_processing_days).toBe(1.67);
  });
});

describe('processing times of stages', () => {
  const level = (priority: number, type: number, completed: string | null) => ({ priority, type, completed });

  test('count from the latest completion one level below, and drop what is negative or has no such level', async () => {
    const alpha = await records.addPurpose({ serviceType: serviceType('Alpha') });
    await records.addPurchase(alpha, {
      stages: [
        level(1, EMF, '2025-03-01'),
        level(2, LETTER, '2025-03-03'),
        level(2, BOM, '2025-03-06'),
        level(2, SECURITY_REVIEW, null),
        level(3, LETTER, '2025-03-10'),
        // Dated before the level below.
        level(3, BOM, '2025-03-05'),
        // There is no level 4.
        level(5, BOM, '2025-03-20'),
      ],
    });
    const untyped = await records.addPurpose({ serviceType: null });
    await records.addPurchase(untyped, {
      stages: [level(1, EMF, '2025-03-01'), level(2, LETTER, '2025-03-08')],
    });
    expect((await ask(contract.stageProcessingTimes)).data).toEqual([
      {
        stage_type_id: LETTER,
        stage_type_name: 'letter_of_necessity',
        stage_type_display_name: 'מכתב נחיצות',
        service_types: [
          {
            service_type_id: serviceType('Alpha'),
            service_type_name: 'Alpha',
            count: 2,
            avg_processing_days: 3,
            min_processing_days: 2,
            max_processing_days: 4,
          },
        ],
        // Purposes without a type are part of the overall figures only.
        overall_count: 3,
        overall_avg_processing_days: 4.33,
        overall_min_processing_days: 2,
        overall_max_processing_days: 7,
      },
      {
        stage_type_id: BOM,
        stage_type_name: 'bom',
        stage_type_display_name: 'BOM',
        service_types: [
          {
            service_type_id: serviceType('Alpha'),
            service_type_name: 'Alpha',
            count: 1,
            avg_processing_days: 5,
            min_processing_days: 5,
            max_processing_days: 5,
          },
        ],
        overall_count: 1,
        overall_avg_processing_days: 5,
        overall_min_processing_days: 5,
        overall_max_processing_days: 5,
      },
    ]);
  });

  test('the service type filters the breakdown, not the overall figures; types without breakdown are absent', async () => {
    for (const [name, type] of [
      ['Alpha', LETTER],
      ['Beta', LETTER],
      ['Beta', BOM],
    ] as const) {
      await records.addPurchase(await records.addPurpose({ serviceType: serviceType(name) }), {
        stages: [level(1, EMF, '2025-03-01'), level(2, type, '2025-03-02')],
      });
    }
    const { data } = await ask(contract.stageProcessingTimes, { service_type_id: serviceType('Alpha') });
    expect(data.map(({ stage_type_id, overall_count }) => [stage_type_id, overall_count])).toEqual([
      [LETTER, 2],
    ]);
    expect(data[0]?.service_types.map(({ service_type_name }) => service_type_name)).toEqual(['Alpha']);
  });

  test('dates choose by the day of creation, within a month and over several', async () => {
    // In Jerusalem the first of these is of January the 1st, the last of April the 1st.
    const created = [
      '2024-12-31T22:30:00Z',
      '2025-01-31T12:00:00Z',
      '2025-02-14T12:00:00Z',
      '2025-03-31T21:30:00Z',
    ];
    for (const [index, instant] of created.entries()) {
      const purpose = await records.addPurpose({ serviceType: serviceType('Alpha'), created: instant });
      await records.addPurchase(purpose, {
        stages: [level(1, EMF, '2025-05-01'), level(2, BOM, `2025-05-0${index + 2}`)],
      });
    }
    const days = async (query: Query) => {
      const [bom] = (await ask(contract.stageProcessingTimes, query)).data;
      return bom ? [bom.overall_min_processing_days, bom.overall_max_processing_days, bom.overall_count] : [];
    };
    expect(await days({})).toEqual([1, 4, 4]);
    expect(await days({ start_date: '2025-01-01', end_date: '2025-04-01' })).toEqual([1, 4, 4]);
    expect(await days({ start_date: '2025-01-02', end_date: '2025-03-31' })).toEqual([2, 3, 2]);
    expect(await days({ start_date: '2025-01-31' })).toEqual([2, 4, 3]);
    expect(await days({ end_date: '2025-01-31' })).toEqual([1, 2, 2]);
    expect(await days({ start_date: '2025-02-10', end_date: '2025-02-20' })).toEqual([3, 3, 1]);
    expect(await days({ start_date: '2025-02-20', end_date: '2025-02-10' })).toEqual([]);
  });

  test('follow every change: completion, reopening, moving, removal, another service type', async () => {
    const purpose = await records.addPurpose({ serviceType: serviceType('Alpha') });
    const purchase = await records.addPurchase(purpose, {
      stages: [level(1, EMF, '2025-03-01'), level(2, BOM, null)],
    });
    const [first, second] = purchase.stages;
    if (!first || !second) throw new Error('The purchase has no stages');
    const shown = async () =>
      (await ask(contract.stageProcessingTimes)).data.flatMap(({ service_types }) =>
        service_types.map(({ service_type_name, max_processing_days }) => [
          service_type_name,
          max_processing_days,
        ]),
      );
    expect(await shown()).toEqual([]);
    await records.complete(second, '2025-03-04');
    expect(await shown()).toEqual([['Alpha', 3]]);
    await records.complete(first, '2025-03-02');
    expect(await shown()).toEqual([['Alpha', 2]]);
    await records.setServiceType(purpose, serviceType('Beta'));
    expect(await shown()).toEqual([['Beta', 2]]);
    await records.move(second, 3);
    expect(await shown()).toEqual([]);
    await records.move(second, 2);
    expect(await shown()).toEqual([['Beta', 2]]);
    await records.complete(first, null);
    expect(await shown()).toEqual([]);
    await records.complete(first, '2025-03-04');
    expect(await shown()).toEqual([['Beta', 0]]);
    await records.removeStage(purchase, first);
    expect(await shown()).toEqual([]);
  });
});

test('what was counted of purposes goes with them', async () => {
  const purpose = await records.addPurpose({ serviceType: serviceType('Alpha'), status: 'COMPLETED' });
  await records.addPurchase(purpose, {
    costs: [{ currency: 'ILS', amount: 5 }],
    stages: [
      { type: EMF, priority: 1, completed: '2025-03-01' },
      { type: BOM, priority: 2, completed: '2025-03-02' },
    ],
  });
  await records.removePurpose(purpose);
  const { rows } = await organisation.app.db.pool.query<{ purchases: number; stages: number }>(
    `select (select count(*)::integer from analytics_purchase) as purchases,
      (select coalesce(sum(abs(stages)), 0)::integer from analytics_stage_days) as stages`,
  );
  expect(rows).toEqual([{ purchases: 0, stages: 0 }]);
});

test('edits at the same time are all counted', async () => {
  const alpha = serviceType('Alpha');
  const beta = serviceType('Beta');
  for (let n = 0; n < 3; n += 1) {
    const purpose = await records.addPurpose({ serviceType: alpha });
    await records.addPurchase(purpose, {
      stages: [1, 2, 3].flatMap((priority) => [
        { type: LETTER, priority, completed: '2025-03-01' },
        { type: BOM, priority },
      ]),
    });
  }
  const edit = async (worker: number, step: number): Promise<void> => {
    const purpose = records.purposes[(worker + step) % 3];
    const stage = purpose?.purchases[0]?.stages[(worker * 5 + step) % 6];
    await transaction(organisation.app.db, { principalId: null, requestId: null }, async (tx) => {
      // The order of locks that every writer keeps: the purpose first.
      await sql`select from purpose where id = ${purpose?.id} for no key update`.execute(tx);
      await sql`update stage
        set completion_date = case when completion_date is null then ${`2025-03-${10 + step}`}::date end
        where id = ${stage?.id}`.execute(tx);
      if (step % 4 === 0) {
        await sql`update purpose set service_type_id = ${worker % 2 === 0 ? beta : alpha}
          where id = ${purpose?.id}`.execute(tx);
      }
    });
  };
  await Promise.all(
    [0, 1, 2, 3, 4, 5].map(async (worker) => {
      for (let step = 0; step < 15; step += 1) await edit(worker, step);
    }),
  );
  const { rows } = await organisation.app.db.pool.query<{
    purchases: number;
    wrong: number;
    counted: number;
    stages: number;
  }>(
    `with fresh as (select * from analytics_of(array(select id from purchase)))
     select count(*)::integer as purchases, count(*) filter (where a is distinct from f)::integer as wrong,
       sum(cardinality(f.timed_days))::integer as stages,
       (select sum(d.stages)::integer from analytics_stage_days d) as counted
     from analytics_purchase a full join fresh f using (purchase_id)`,
  );
  expect(rows[0]).toMatchObject({ purchases: 3, wrong: 0 });
  expect(rows[0]?.counted).toBe(rows[0]?.stages);
  expect(rows[0]?.counted).toBeGreaterThan(0);
});

test('nothing there: every figure is empty', async () => {
  const answers = [
    await ask(contract.serviceTypesDistribution),
    await ask(contract.statusesDistribution),
    await ask(contract.pendingAuthoritiesDistribution),
    await ask(contract.pendingStagesDistribution),
    await ask(contract.serviceQuantities),
    await ask(contract.costsByServiceType),
    await ask(contract.costsByBudgetSource),
    await ask(contract.stageProcessingTimes),
  ];
  expect(answers).toEqual(answers.map(() => ({ data: [] })));
  expect(await ask(contract.serviceTypesByStatus, {}, 'SIGNED')).toEqual({
    data: [],
    total_count: 0,
    target_status: 'SIGNED',
  });
  expect(await ask(contract.purposeProcessingTimes)).toEqual({
    service_types: [],
    total_purposes: 0,
    distinct_purposes: 0,
  });
});

test('the dated figures refuse a malformed date and a service type that is no number', async () => {
  for (const path of ['/analytics/services/quantities', '/analytics/stages/processing-times']) {
    for (const [query, field] of [
      ['start_date=soon', 'start_date'],
      ['end_date=2025-02-30', 'end_date'],
      ['service_type_id=1&service_type_id=x', 'service_type_id'],
    ]) {
      const response = await organisation.app.get(`${path}?${query}`);
      expect(response.status).toBe(422);
      expect(response.text).toContain(`"${field}"`);
    }
  }
});
