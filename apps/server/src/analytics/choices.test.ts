import * as contract from '@calculaud/contract/analytics';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BOM, EMF, LETTER, openOrganisation, type Organisation } from './testing/organisation.ts';
import type { Records } from './testing/records.ts';

/** What differs from v1 on request (W36 to W38). That nothing differs by default is held by the tests beside this one. */

let organisation: Organisation;
let records: Records;
let ask: Organisation['ask'];
const serviceType = (name: string): number => organisation.serviceType(name);

beforeAll(async () => {
  organisation = await openOrganisation();
  ({ records, ask } = organisation);
});
afterAll(() => organisation.app.close());
afterEach(() => records.removeAll());

describe('dates of live figures', () => {
  // In Jerusalem it is the 15th.
  const created = '2025-01-14T22:30:00Z';
  const on = (day: string) => ({ start_date: day, end_date: day });

  async function figures(query: Readonly<Record<string, string>>) {
    return {
      types: (await ask(contract.serviceTypesDistribution, query)).data.map(({ count }) => count),
      statuses: (await ask(contract.statusesDistribution, query)).data.map(({ count }) => count),
      authorities: (await ask(contract.pendingAuthoritiesDistribution, query)).data.map(({ count }) => count),
      stages: (await ask(contract.pendingStagesDistribution, query)).data.map(
        ({ total_count }) => total_count,
      ),
    };
  }
  const counted = (n: number) => ({ types: [n], statuses: [n], authorities: [n], stages: [n] });
  const nothing = { types: [], statuses: [], authorities: [], stages: [] };

  test('count with apply_dates=true, as days of the creation', async () => {
    for (const instant of [created, '2025-03-01T12:00:00Z']) {
      const purpose = await records.addPurpose({ serviceType: serviceType('Alpha'), created: instant });
      await records.addPurchase(purpose, { stages: [{ type: LETTER, priority: 1 }] });
    }
    expect(await figures({ ...on('2025-01-15'), apply_dates: 'true' })).toEqual(counted(1));
    expect(await figures({ ...on('2025-01-14'), apply_dates: 'true' })).toEqual(nothing);
    expect(await figures({ start_date: '2025-01-15', apply_dates: 'true' })).toEqual(counted(2));
    expect(await figures({ end_date: '2025-02-28', apply_dates: 'true' })).toEqual(counted(1));
    expect(await figures({ apply_dates: 'true' })).toEqual(counted(2));
    expect(await figures(on('1999-01-01'))).toEqual(counted(2));
    expect(await figures({ ...on('1999-01-01'), apply_dates: 'false' })).toEqual(counted(2));
  });

  test('are refused when they count and are none', async () => {
    for (const endpoint of [
      contract.serviceTypesDistribution,
      contract.statusesDistribution,
      contract.pendingAuthoritiesDistribution,
      contract.pendingStagesDistribution,
    ]) {
      const answer = (query: string) => organisation.app.get(`${endpoint.path}?${query}`);
      expect((await answer('start_date=soon&end_date=')).status).toBe(200);
      const refused = await answer('start_date=2025-01-01&end_date=soon&apply_dates=true');
      expect(refused.status).toBe(422);
      expect(refused.json()).toMatchObject({
        detail: [{ type: 'date_from_datetime_parsing', loc: ['query', 'end_date'], input: 'soon' }],
      });
    }
  });
});

describe('processing times that count purposes', () => {
  const ended = '2025-03-11T10:00:00Z';
  async function completed(forms: readonly string[], more?: (typeof records.purposes)[number]) {
    const purpose = more ?? (await records.addPurpose({ serviceType: serviceType('Alpha') }));
    for (const day of forms) {
      await records.addPurchase(purpose, { stages: [{ type: EMF, priority: 1, completed: day }] });
    }
    await records.setStatus(purpose, 'COMPLETED', ended);
    return purpose;
  }

  test('have one row per purpose, from its first form', async () => {
    await completed(['2025-03-05', '2025-03-01', '2025-03-09']);
    await completed(['2025-03-10']);
    const query = { count: 'purposes' };
    expect(await ask(contract.purposeProcessingTimes, query)).toEqual({
      service_types: [
        {
          service_type_id: serviceType('Alpha'),
          service_type_name: 'Alpha',
          count: 2,
          average_processing_days: 5.5,
          min_processing_days: 1,
          max_processing_days: 10,
        },
      ],
      total_purposes: 2,
      distinct_purposes: 2,
    });
    expect((await ask(contract.purposeProcessingTimes)).total_purposes).toBe(4);
    const total = async (day: string) =>
      (await ask(contract.purposeProcessingTimes, { ...query, start_date: day, end_date: day }))
        .total_purposes;
    expect(await total('2025-03-11')).toBe(2);
    expect(await total('2025-03-10')).toBe(0);
  });

  test('leave out what is no longer completed, and what ended before it began', async () => {
    await records.setStatus(await completed(['2025-03-01']), 'IN_PROGRESS', '2025-03-12T10:00:00Z');
    await completed(['2025-03-12']);
    expect(await ask(contract.purposeProcessingTimes, { count: 'purposes' })).toEqual({
      service_types: [],
      total_purposes: 0,
      distinct_purposes: 0,
    });
    expect((await ask(contract.purposeProcessingTimes, { count: 'purchases' })).total_purposes).toBe(2);
  });
});

describe('processing times of stages with population=same', () => {
  test('are overall those of the breakdown', async () => {
    for (const [name, days] of [
      ['Alpha', 2],
      ['Alpha', 4],
      ['Beta', 6],
      [null, 8],
    ] as const) {
      await records.addPurchase(await records.addPurpose({ serviceType: name && serviceType(name) }), {
        stages: [
          { type: EMF, priority: 1, completed: '2025-03-01' },
          { type: BOM, priority: 2, completed: `2025-03-0${1 + days}` },
        ],
      });
    }
    const overall = async (query: Readonly<Record<string, string | number>>) => {
      const [bom] = (await ask(contract.stageProcessingTimes, query)).data;
      return [bom?.overall_count, bom?.overall_avg_processing_days, bom?.overall_max_processing_days];
    };
    const alpha = { service_type_id: serviceType('Alpha') };
    expect(await overall({ population: 'same' })).toEqual([3, 4, 6]);
    expect(await overall({ population: 'same', ...alpha })).toEqual([2, 3, 4]);
    expect(await overall({ population: 'all', ...alpha })).toEqual([4, 5, 8]);
    expect(await overall(alpha)).toEqual([4, 5, 8]);
  });
});

describe('costs at dated rates', () => {
  test('are converted at the rate of the day on which the purpose was created', async () => {
    await organisation.app.db.pool.query(`
      insert into currency (code, iso_code, name, position)
        values ('EUR', 'EUR', 'Euro', 8), ('GRANT_USD', 'USD', 'Dollar (grant)', 9) on conflict do nothing;
      delete from exchange_rate;
      insert into exchange_rate (currency, base, rate, valid_from) values
        ('USD', 'ILS', 4, '2025-01-15'), ('USD', 'ILS', 5, '2025-02-01'), ('EUR', 'ILS', 100, '2025-01-01')`);
    for (const created of [
      // The 14th, before any rate: the configured one holds. The 15th. In February.
      '2025-01-14T12:00:00Z',
      '2025-01-14T22:30:00Z',
      '2025-02-20T12:00:00Z',
    ]) {
      await records.addPurchase(await records.addPurpose({ serviceType: serviceType('Alpha'), created }), {
        budgetSource: 1,
        costs: [
          { currency: 'SUPPORT_USD', amount: 10 },
          { currency: 'AVAILABLE_USD', amount: 1 },
          { currency: 'GRANT_USD', amount: 1 },
          { currency: 'ILS', amount: 140 },
          { currency: 'EUR', amount: 1 },
        ],
      });
    }
    const own = {
      ils: 420,
      support_usd: 30,
      available_usd: 3,
      other: [
        { currency: 'EUR', amount: 3 },
        { currency: 'GRANT_USD', amount: 3 },
      ],
    };
    const dated = { ...own, total_usd: 36 + 40 + 35 + 28, total_ils: 420 + 12 * (3.5 + 4 + 5) };
    const configured = { ...own, total_usd: 36 + 120, total_ils: 420 + 36 * 3.5 };
    const byType = async (query: Readonly<Record<string, string>>) =>
      (await ask(contract.costsByServiceType, query)).data.map(({ amounts }) => amounts);
    const bySource = async (query: Readonly<Record<string, string>>) =>
      (await ask(contract.costsByBudgetSource, query)).data.map(({ amounts }) => amounts);
    for (const amounts of [byType, bySource]) {
      expect(await amounts({ rates: 'dated' })).toEqual([dated]);
      expect(await amounts({ rates: 'configured' })).toEqual([configured]);
      expect(await amounts({})).toEqual([configured]);
      expect(await amounts({ rates: 'dated', start_date: '2025-03-01' })).toEqual([]);
    }
  });
});

test('a choice that there is not is refused', async () => {
  for (const path of [
    '/analytics/statuses/distribution?apply_dates=perhaps',
    '/analytics/purposes/processing-times?count=stages',
    '/analytics/stages/processing-times?population=none',
    '/analytics/costs/distribution/by-service-type?rates=mine',
  ]) {
    expect((await organisation.app.get(path)).status).toBe(422);
  }
});
