import { createPurchase } from '@calculaud/contract/purchases';
import { createPurpose, getPurpose, listPurposes } from '@calculaud/contract/purposes';
import { sql } from 'kysely';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';
import { idempotencyJobs } from './idempotency.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp(
    {},
    // Who sends a request says so in a header.
    {
      authenticator: () => async (request) => ({
        id: Number(request.headers['x-principal'] ?? people[0]),
        name: 'Somebody',
        permits: () => true,
      }),
    },
  );
  const { rows } = await sql<{ id: number }>`insert into principal (kind, subject, name)
    values ('person', 'one', 'One'), ('person', 'other', 'Other') returning id`.execute(app.db);
  people.push(...rows.map(({ id }) => id));
});
afterAll(() => app.close());

const people: number[] = [];
let keys = 0;
const newKey = () => `key-${(keys += 1)}`;
const send = (path: string, body: object, key: string, principal = people[0]) =>
  app.post(path, body, { headers: { 'idempotency-key': key, 'x-principal': String(principal) } });
const newPurpose = async () => (await app.post('/purposes', {})).as(createPurpose).id;
const purchasesOf = async (id: number) => (await app.get(`/purposes/${id}`)).as(getPurpose).purchases;

test('a repeated request is carried out once and gets the first answer, whatever has happened since', async () => {
  const purpose_id = await newPurpose();
  const body = { purpose_id, costs: [{ currency: 'ILS', amount: 5 }] };
  const key = newKey();
  const first = await send('/purchases', body, key);
  const { id } = first.as(createPurchase);
  const second = await send('/purchases/', body, key);
  expect([second.status, second.text, second.headers['etag']]).toEqual([
    201,
    first.text,
    first.headers['etag'],
  ]);
  expect(await purchasesOf(purpose_id)).toHaveLength(1);
  await app.delete(`/purchases/${id}`);
  expect((await send('/purchases', body, key)).text).toBe(first.text);
  expect(await purchasesOf(purpose_id)).toEqual([]);
});

test('repetitions at the same time wait for the first', async () => {
  const purpose_id = await newPurpose();
  const key = newKey();
  const answers = await Promise.all(
    Array.from({ length: 25 }, () => send('/purchases', { purpose_id }, key)),
  );
  expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
  expect(answers[0]?.status).toBe(201);
  expect(await purchasesOf(purpose_id)).toHaveLength(1);
});

test('purposes, too', async () => {
  const body = { description: 'Filed once', contents: [] };
  const key = newKey();
  const [first, second] = [await send('/purposes', body, key), await send('/purposes', body, key)];
  expect(second.as(createPurpose)).toEqual(first.as(createPurpose));
  const { total } = (await app.get('/purposes?search=Filed%20once')).as(listPurposes);
  expect(total).toBe(1);
});

test('without a key, with another one or by somebody else it is another request', async () => {
  const purpose_id = await newPurpose();
  const key = newKey();
  await send('/purchases', { purpose_id }, key);
  await send('/purchases', { purpose_id }, key, people[1]);
  await send('/purchases', { purpose_id }, newKey());
  await app.post('/purchases', { purpose_id });
  await app.post('/purchases', { purpose_id });
  expect(await purchasesOf(purpose_id)).toHaveLength(5);
});

test('a key that comes with another request is refused', async () => {
  const purpose_id = await newPurpose();
  const key = newKey();
  await send('/purchases', { purpose_id }, key);
  for (const [path, body] of [
    ['/purchases', { purpose_id, costs: [{ currency: 'ILS', amount: 1 }] }],
    ['/purposes', {}],
  ] as const) {
    const refused = await send(path, body, key);
    expect(refused.status).toBe(409);
    expect(refused.json()).toMatchObject({ code: 'idempotency_key_used' });
  }
  expect(await purchasesOf(purpose_id)).toHaveLength(1);
});

test('a request that fails is not remembered', async () => {
  const purpose_id = await newPurpose();
  const key = newKey();
  expect((await send('/purchases', { purpose_id, budget_source_id: 4711 }, key)).status).toBe(400);
  expect((await send('/purchases', { purpose_id, costs: 'x' }, key)).status).toBe(422);
  expect((await send('/purchases', { purpose_id, budget_source_id: 1 }, key)).status).toBe(201);
});

test('a key protects for a day, then it is forgotten', async () => {
  const purpose_id = await newPurpose();
  const key = newKey();
  const age = (interval: string) =>
    sql`update idempotency_key set created_at = now() - ${interval}::interval where key = ${key}`.execute(
      app.db,
    );
  await send('/purchases', { purpose_id }, key);
  await age('23 hours');
  await send('/purchases', { purpose_id }, key);
  expect(await purchasesOf(purpose_id)).toHaveLength(1);
  await age('25 hours');
  const again = await send('/purchases', { purpose_id }, key);
  expect((await send('/purchases', { purpose_id }, key)).text).toBe(again.text);
  expect(await purchasesOf(purpose_id)).toHaveLength(2);

  await age('25 hours');
  const [expire] = idempotencyJobs;
  const context = { log: pino({ level: 'silent' }), signal: new AbortController().signal };
  await expire?.run(app.services, context);
  const { rows } = await sql`select key from idempotency_key where key = ${key}`.execute(app.db);
  expect(rows).toEqual([]);
});

test.each([[''], ['two words'], ['x'.repeat(256)], ['é']])('a malformed key is refused: %j', async (key) => {
  const refused = await send('/purchases', { purpose_id: await newPurpose() }, key);
  expect(refused.status).toBe(400);
  expect(refused.text).toContain('Idempotency-Key');
});
