import * as purchases from '@calculaud/contract/purchases';
import { createPurpose, getPurpose } from '@calculaud/contract/purposes';
import * as contract from '@calculaud/contract/stages';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

let purposeId: number;
/** Takes a value. */
let emf: number;
/** Takes none; the first of three in parallel. */
let security: number;
let purchaseId: number;
beforeEach(async () => {
  purposeId = (await app.post('/purposes', {})).as(createPurpose).id;
  const purchase = (
    await app.post('/purchases', { purpose_id: purposeId, costs: [{ currency: 'ILS', amount: 1 }] })
  ).as(purchases.createPurchase);
  purchaseId = purchase.id;
  const stages = purchase.flow_stages.flat();
  emf = stages[0]?.id ?? 0;
  security = stages[1]?.id ?? 0;
});

const get = async (id: number) => (await app.get(`/stages/${id}`)).as(contract.getStage);
const patch = async (id: number, body: object) =>
  (await app.patch(`/stages/${id}`, body)).as(contract.updateStage);
const lastModified = async () => (await app.get(`/purposes/${purposeId}`)).as(getPurpose).last_modified;

describe('a stage', () => {
  test('is shown by itself, with its type and whom it waits for', async () => {
    const stage = await get(emf);
    expect(stage).toMatchObject({
      purchase_id: purchaseId,
      priority: 1,
      value: null,
      completion_date: null,
      note: null,
      custom_name: null,
      days_since_previous_stage: null,
      stage_type: { name: 'emf_id', responsible_authority: { name: 'IT Department' } },
    });
  });

  test('never tells days by itself, not even when the one before it is complete', async () => {
    await patch(emf, { completion_date: '2026-01-01' });
    expect((await patch(security, { completion_date: '2026-01-09' })).days_since_previous_stage).toBeNull();
    expect((await get(security)).days_since_previous_stage).toBeNull();
  });

  test('that does not exist is not found; there is no collection', async () => {
    for (const answer of [
      await app.get('/stages/4711'),
      await app.patch('/stages/4711', { note: 'x' }),
      await app.post('/stages/4711/start'),
    ]) {
      expect(answer.status).toBe(404);
      expect(answer.text).toMatch(/not found/i);
    }
    expect((await app.post('/stages', {})).status).toBe(404);
    expect((await app.get('/stages/')).status).toBe(404);
    expect((await app.delete(`/stages/${emf}`)).status).toBe(405);
  });

  test('is changed by admins and seen by readers', async () => {
    const reader = { role: 'user' } as const;
    expect((await app.get(`/stages/${emf}`, reader)).status).toBe(200);
    expect((await app.patch(`/stages/${emf}`, { note: 'x' }, reader)).status).toBe(403);
    expect((await app.post(`/stages/${emf}/start`, undefined, reader)).status).toBe(403);
  });
});

describe('editing a stage', () => {
  test('changes the members present; null clears; others are ignored', async () => {
    const full = await patch(emf, { value: '123', note: 'n', completion_date: '2026-01-05T00:00:00Z' });
    expect(full).toMatchObject({ value: '123', note: 'n', completion_date: '2026-01-05' });
    expect(await patch(emf, { priority: 7, custom_name: 'x', purchase_id: 1, unknown: 1 })).toEqual(full);
    expect(await patch(emf, { note: null })).toMatchObject({ value: '123', note: null });
    expect(await patch(emf, { value: null, completion_date: null })).toMatchObject({
      value: null,
      completion_date: null,
    });
  });

  test('a value is refused where the type takes none, an empty one too; null is always fine', async () => {
    for (const value of ['x', '']) {
      const refused = await app.patch(`/stages/${security}`, { value, note: 'not written' });
      expect(refused.status).toBe(400);
      expect(refused.text).toMatch(/values are not allowed/i);
    }
    expect(await patch(security, { value: null })).toMatchObject({ value: null, note: null });
    expect(await patch(emf, { value: '' })).toMatchObject({ value: '' });
  });

  test('a stage that takes a value may be complete without one, out of order and in the future', async () => {
    expect(await patch(security, { completion_date: '2999-12-31' })).toMatchObject({
      completion_date: '2999-12-31',
    });
    expect(await patch(emf, { completion_date: '2026-01-01' })).toMatchObject({ value: null });
  });

  test.each([
    [{ completion_date: '' }, 'completion_date'],
    [{ completion_date: '2026-02-30' }, 'completion_date'],
    [{ completion_date: '2026-01-01T10:00:00' }, 'completion_date'],
    [{ value: 5 }, 'value'],
    [{ note: 'a\u0000b' }, 'note'],
    [[], 'body'],
  ])('malformed input is refused and names the field: %j', async (body, field) => {
    const refused = await app.patch(`/stages/${emf}`, body);
    expect(refused.status).toBe(422);
    expect(refused.text).toContain(`"${field}"`);
    expect((await app.get(`/stages/${emf}`)).headers['etag']).toBe('"1"');
  });

  test.each([[{ note: 'x' }], [{ note: null }], [{ completion_date: null }], [{ value: null }]])(
    'touches the purpose, even when the value is the same: %j',
    async (body) => {
      const before = await lastModified();
      await patch(emf, body);
      expect((await lastModified()) > before).toBe(true);
    },
  );

  test('without members it touches nothing', async () => {
    const before = await lastModified();
    await patch(emf, {});
    await patch(emf, { priority: 3 });
    expect(await lastModified()).toBe(before);
  });
});

describe('versions of a stage', () => {
  test('an edit on an old state is refused and changes nothing; without If-Match the last one wins', async () => {
    const { etag } = (await app.get(`/stages/${emf}`)).headers;
    const edit = (note: string, headers = {}) => app.patch(`/stages/${emf}`, { note }, { headers });
    const first = await edit('mine', { 'if-match': String(etag) });
    expect(first.status).toBe(200);
    expect(first.headers['etag']).not.toBe(etag);
    const second = await edit('yours', { 'if-match': String(etag) });
    expect(second.status).toBe(412);
    expect(second.headers['etag']).toBe(first.headers['etag']);
    expect((await get(emf)).note).toBe('mine');
    expect(
      (await app.post(`/stages/${emf}/start`, undefined, { headers: { 'if-match': String(etag) } })).status,
    ).toBe(412);
    expect((await edit('any', { 'if-match': '*' })).status).toBe(200);
    expect((await edit('last')).status).toBe(200);
  });

  test('a version rises with what is recorded, and not with the turn of the stages before', async () => {
    const version = async (id: number) => (await app.get(`/stages/${id}`)).headers['etag'];
    await patch(emf, { completion_date: '2026-01-01' });
    expect(await version(emf)).toBe('"2"');
    expect(await version(security)).toBe('"1"');
    await patch(emf, { completion_date: '2026-01-01' });
    expect(await version(emf)).toBe('"2"');
  });
});

describe('times and people', () => {
  test('a stage becomes ready when its level does, is started by the first work on it and done when it is completed', async () => {
    expect(await get(emf)).toMatchObject({
      ready_at: expect.any(String),
      started_at: null,
      started_by: null,
      done_at: null,
      done_by: null,
    });
    expect(await get(security)).toMatchObject({ ready_at: null });

    const noted = await patch(emf, { note: 'begun' });
    expect(noted).toMatchObject({ started_at: expect.any(String), started_by: 'Tester', done_at: null });
    const done = await patch(emf, { completion_date: '2026-01-01' });
    expect(done).toMatchObject({
      started_at: noted.started_at,
      done_at: expect.any(String),
      done_by: 'Tester',
    });
    const next = await get(security);
    expect(next.ready_at !== null && done.done_at !== null && next.ready_at >= done.done_at).toBe(true);
  });

  test('reopening takes back the end and what became ready by it, and keeps the beginning', async () => {
    const done = await patch(emf, { completion_date: '2026-01-01' });
    const reopened = await patch(emf, { completion_date: null });
    expect(reopened).toMatchObject({
      ready_at: done.ready_at,
      started_at: done.started_at,
      done_at: null,
      done_by: null,
    });
    expect((await get(security)).ready_at).toBeNull();
  });

  test('a stage completed before its turn was never ready, and keeps its completion when its turn comes', async () => {
    await patch(security, { completion_date: '2026-01-02' });
    await patch(emf, { completion_date: '2026-01-03' });
    expect(await get(security)).toMatchObject({ ready_at: null, completion_date: '2026-01-02' });
  });

  test('starting records who and when, once, and touches the purpose', async () => {
    const before = await lastModified();
    const started = (await app.post(`/stages/${emf}/start`)).as(contract.startStage);
    expect(started).toMatchObject({
      started_at: expect.any(String),
      started_by: 'Tester',
      completion_date: null,
    });
    const touched = await lastModified();
    expect(touched > before).toBe(true);
    expect((await app.post(`/stages/${emf}/start`)).as(contract.startStage)).toEqual(started);
    expect(await lastModified()).toBe(touched);
  });

  test('the audit trail has one entry an edit, and none for what follows from it', async () => {
    await sql`delete from purpose where id = ${purposeId}`.execute(app.db);
    const purpose = (await app.post('/purposes', {})).as(createPurpose);
    const { flow_stages } = (
      await app.post('/purchases', { purpose_id: purpose.id, costs: [{ currency: 'ILS', amount: 1 }] })
    ).as(purchases.createPurchase);
    const { rows: start } = await sql<{ id: string }>`select max(id) as id from audit_entry`.execute(app.db);
    const stage = flow_stages.flat()[0]?.id ?? 0;
    await patch(stage, { completion_date: '2026-01-01' });
    await patch(stage, { completion_date: '2026-01-01' });
    const { rows } = await sql`select action, entity, entity_id from audit_entry
      where id > ${start[0]?.id ?? '0'}`.execute(app.db);
    expect(rows).toEqual([{ action: 'update', entity: 'stage', entity_id: stage }]);
  });
});
