import * as contract from '@calculaud/contract/currencies';
import * as purchases from '@calculaud/contract/purchases';
import { createPurpose } from '@calculaud/contract/purposes';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';
import { followConfiguredRate } from './service.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

const rates = async (query = '') =>
  (await app.get(`/exchange-rates/${query}`)).as(contract.listExchangeRates).items;
const addRate = async (body: object) =>
  (await app.post('/exchange-rates/', { currency: 'USD', rate: 3.5, ...body })).as(
    contract.createExchangeRate,
  );

describe('currencies', () => {
  test('a new installation has the three of v1, in their declared order', async () => {
    const { items } = (await app.get('/currencies/')).as(contract.listCurrencies);
    expect(items.map(({ code, iso_code, funding_channel }) => [code, iso_code, funding_channel])).toEqual([
      ['SUPPORT_USD', 'USD', 'SUPPORT'],
      ['AVAILABLE_USD', 'USD', 'AVAILABLE'],
      ['ILS', 'ILS', null],
    ]);
  });

  test('costs may be in a new currency, and no longer in one that is switched off; old costs stay', async () => {
    const purpose = (await app.post('/purposes', {})).as(createPurpose);
    const body = { purpose_id: purpose.id, costs: [{ currency: 'SEK', amount: 12.5 }] };
    expect((await app.post('/purchases', body)).status).toBe(422);

    const added = (await app.post('/currencies', { code: 'SEK', iso_code: 'SEK', name: 'Swedish krona' })).as(
      contract.createCurrency,
    );
    expect(added).toMatchObject({ position: 4, is_active: true, funding_channel: null });
    const purchase = (await app.post('/purchases', body)).as(purchases.createPurchase);
    // No rule is about it, so there is no flow.
    expect(purchase).toMatchObject({ costs: [{ currency: 'SEK', amount: 12.5 }], flow_stages: [] });

    const off = (await app.patch('/currencies/SEK', { is_active: false, name: 'Krona', position: 9 })).as(
      contract.updateCurrency,
    );
    expect(off).toEqual({ ...added, is_active: false, name: 'Krona', position: 9 });
    const refused = await app.post('/purchases', body);
    expect(refused.status).toBe(422);
    expect(refused.json()).toMatchObject({
      detail: [
        {
          type: 'enum',
          loc: ['body', 'costs', 0, 'currency'],
          input: 'SEK',
          ctx: { expected: "'SUPPORT_USD', 'AVAILABLE_USD', 'ILS'" },
        },
      ],
    });
    const active = (await app.get('/currencies?is_active=true')).as(contract.listCurrencies);
    expect(active.items.map(({ code }) => code)).not.toContain('SEK');
    expect((await app.get(`/purchases/${purchase.id}`)).as(purchases.getPurchase)).toEqual(purchase);

    // A stored line keeps its currency through a correction of its amount; a new line cannot have it.
    const correct = (costs: object[]) => app.put(`/purchases/${purchase.id}/costs`, { costs });
    const id = purchase.costs[0]?.id;
    expect((await correct([{ id, currency: 'SEK', amount: 13 }])).status).toBe(200);
    expect((await correct([{ currency: 'SEK', amount: 13 }])).status).toBe(422);
    await app.patch('/currencies/SEK', { funding_channel: 'X' });
    expect((await app.patch('/currencies/SEK', { funding_channel: null })).json()).toMatchObject({
      funding_channel: null,
    });
  });

  test('a code that is taken is refused, an unknown one not found', async () => {
    expect((await app.post('/currencies', { code: 'ILS', iso_code: 'ILS', name: 'again' })).status).toBe(409);
    const unknown = await app.patch('/currencies/NOPE', { name: 'x' });
    expect(unknown.status).toBe(404);
    expect(unknown.text).toMatch(/not found/i);
  });

  test.each([
    [{ code: 'eur', iso_code: 'EUR', name: 'x' }, 'code'],
    [{ code: '', iso_code: 'EUR', name: 'x' }, 'code'],
    [{ code: 'EUR', iso_code: 'EURO', name: 'x' }, 'iso_code'],
    [{ code: 'EUR', iso_code: 'EUR' }, 'name'],
    [{ code: 'EUR', iso_code: 'EUR', name: 'x', position: 0 }, 'position'],
    [{ code: 'EUR', iso_code: 'EUR', name: 'x', is_active: 'perhaps' }, 'is_active'],
  ])('malformed input is refused and names the field: %j', async (body, field) => {
    const refused = await app.post('/currencies', body);
    expect(refused.status).toBe(422);
    expect(refused.text).toContain(`"${field}"`);
  });
});

describe('exchange rates', () => {
  test('the configured rate holds before any that is entered, and follows the setting', async () => {
    const { config, db } = app.services;
    const follow = (usdToIlsRate: string) =>
      followConfiguredRate({
        db,
        config: { ...config, organisation: { ...config.organisation, usdToIlsRate } },
      });
    await Promise.all([follow('3.7'), follow('3.7'), follow('3.7')]);
    expect(await rates('?currency=USD')).toEqual([
      expect.objectContaining({
        currency: 'USD',
        base: 'ILS',
        rate: 3.7,
        valid_from: '1970-01-01',
        is_starting: true,
      }),
    ]);
    const entered = await addRate({ valid_from: '2026-03-01', rate: '3.4' });
    await follow('3.65');
    expect((await rates('?currency=USD')).map(({ rate }) => rate)).toEqual([3.4, 3.65]);
    expect(await rates('?currency=USD&valid_on=2026-02-28')).toMatchObject([{ rate: 3.65 }]);
    expect(await rates('?currency=USD&valid_on=2026-03-01')).toEqual([entered]);
    expect(await rates('?currency=USD&valid_on=1969-12-31')).toEqual([]);
  });

  test('one rate a day and pair; the reverse is another pair', async () => {
    await addRate({ valid_from: '2025-01-01' });
    expect(
      (await app.post('/exchange-rates', { currency: 'USD', rate: 1, valid_from: '2025-01-01' })).status,
    ).toBe(409);
    const reverse = await addRate({ currency: 'ILS', base: 'USD', rate: 0.27, valid_from: '2025-01-01' });
    expect(await rates('?base=USD')).toEqual([reverse]);
  });

  test('a rate that does not hold yet is corrected; one that holds is not', async () => {
    const future = await addRate({ valid_from: '2999-01-01', rate: 9 });
    const corrected = (
      await app.patch(`/exchange-rates/${future.id}`, { rate: 8.5, valid_from: '2999-02-01' })
    ).as(contract.updateExchangeRate);
    expect(corrected).toEqual({ ...future, rate: 8.5, valid_from: '2999-02-01' });
    const past = await addRate({ valid_from: '2024-01-01' });
    const refused = await app.patch(`/exchange-rates/${past.id}`, { rate: 1 });
    expect(refused.status).toBe(409);
    expect(await rates('?valid_on=2024-01-01')).toEqual([past]);
    expect((await app.patch('/exchange-rates/4711', { rate: 1 })).status).toBe(404);
    const taken = await addRate({ valid_from: '2999-03-01' });
    expect((await app.patch(`/exchange-rates/${taken.id}`, { valid_from: '2999-02-01' })).status).toBe(409);
  });

  test.each([
    [422, { currency: 'USD', rate: 0, valid_from: '2023-01-01' }, 'rate'],
    [422, { currency: 'USD', rate: -1, valid_from: '2023-01-01' }, 'rate'],
    [422, { currency: 'USD', rate: '1e400', valid_from: '2023-01-01' }, 'rate'],
    [422, { currency: 'USD', valid_from: '2023-01-01' }, 'rate'],
    [422, { currency: 'usd', rate: 1, valid_from: '2023-01-01' }, 'currency'],
    [422, { currency: 'USD', base: 'SHEKEL', rate: 1, valid_from: '2023-01-01' }, 'base'],
    [422, { currency: 'USD', rate: 1, valid_from: 'soon' }, 'valid_from'],
    [400, { currency: 'USD', base: 'USD', rate: 1, valid_from: '2023-01-01' }, 'itself'],
    [400, { currency: 'JPY', rate: 1, valid_from: '2023-01-01' }, 'JPY'],
    [400, { currency: 'USD', base: 'JPY', rate: 1, valid_from: '2023-01-01' }, 'JPY'],
  ])('a wrong rate is refused (%i): %j', async (status, body, named) => {
    const refused = await app.post('/exchange-rates', body);
    expect(refused.status).toBe(status);
    expect(refused.text).toContain(named);
  });

  test('changes are on the audit trail; only admins make them', async () => {
    const { id } = await addRate({ valid_from: '2022-01-01' });
    const { rows } = await sql`select action from audit_entry
      where entity = 'exchange_rate' and entity_id = ${id} and principal_id is not null`.execute(app.db);
    expect(rows).toEqual([{ action: 'insert' }]);
    const reader = { role: 'user' } as const;
    expect((await app.get('/exchange-rates', reader)).status).toBe(200);
    expect((await app.get('/currencies', reader)).status).toBe(200);
    for (const answer of [
      await app.post('/exchange-rates', {}, reader),
      await app.patch('/exchange-rates/1', {}, reader),
      await app.post('/currencies', {}, reader),
      await app.patch('/currencies/ILS', {}, reader),
    ]) {
      expect(answer.status).toBe(403);
    }
  });
});
