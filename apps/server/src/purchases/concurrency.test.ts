import { budgetSources, responsibleAuthorities, stageTypes } from '@calculaud/contract/catalog';
import { createPredefinedFlow } from '@calculaud/contract/flows';
import * as contract from '@calculaud/contract/purchases';
import { createPurpose } from '@calculaud/contract/purposes';
import { getStage } from '@calculaud/contract/stages';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, testApp, type TestResponse } from '../testing/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

const PARALLEL = 50;
const range = Array.from({ length: PARALLEL }, (_, index) => index);

async function purposeWithPurchase() {
  const { id } = (await app.post('/purposes', {})).as(createPurpose);
  const costs = [{ currency: 'ILS', amount: 1 }];
  const purchase = (await app.post('/purchases', { purpose_id: id, costs })).as(contract.createPurchase);
  return { purposeId: id, purchase, stages: purchase.flow_stages.flat() };
}

/** The number in the ETag. */
async function version(path: string): Promise<number> {
  return Number(String((await app.get(path)).headers['etag']).replaceAll('"', ''));
}

const get = async (id: number) => (await app.get(`/purchases/${id}`)).as(contract.getPurchase);

function statuses(answers: readonly TestResponse[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** Whatever is derived from stages is as it would be worked out from scratch: no row is written by that. */
async function expectDerivedColumnsRight(): Promise<void> {
  const writtenBy = async () => {
    const { rows } = await sql`
      select 'purpose' as entity, id, xmin::text from purpose union all
      select 'purchase', id, xmin::text from purchase union all
      select 'stage', id, xmin::text from stage order by 1, 2`.execute(app.db);
    return rows;
  };
  const before = await writtenBy();
  await sql`select refresh_progress(array(select id from purpose))`.execute(app.db);
  expect(await writtenBy()).toEqual(before);
}

test('of fifty edits of one stage each is acknowledged, counted and on the audit trail', async () => {
  const { purposeId, purchase, stages } = await purposeWithPurchase();
  const id = stages[0]?.id ?? 0;
  const answers = await Promise.all(range.map((n) => app.patch(`/stages/${id}`, { note: `note ${n}` })));
  expect(statuses(answers)).toEqual({ 200: PARALLEL });
  expect(await version(`/stages/${id}`)).toBe(1 + PARALLEL);
  expect(await version(`/purchases/${purchase.id}`)).toBe(1 + PARALLEL);
  expect(await version(`/purposes/${purposeId}`)).toBe(2 + PARALLEL);
  const { rows } = await sql<{ note: string }>`select after ->> 'note' as note from audit_entry
    where entity = 'stage' and entity_id = ${id} and action = 'update' order by id`.execute(app.db);
  expect(new Set(rows.map(({ note }) => note))).toEqual(new Set(range.map((n) => `note ${n}`)));
  expect((await app.get(`/stages/${id}`)).as(getStage).note).toBe(rows.at(-1)?.note);
  await expectDerivedColumnsRight();
});

test('of fifty edits on the same state of a stage exactly one wins', async () => {
  const { stages } = await purposeWithPurchase();
  const path = `/stages/${stages[0]?.id}`;
  const headers = { 'if-match': '"1"' };
  const answers = await Promise.all(range.map((n) => app.patch(path, { note: `note ${n}` }, { headers })));
  expect(statuses(answers)).toEqual({ 200: 1, 412: PARALLEL - 1 });
  const winner = answers.find(({ status }) => status === 200);
  expect(await version(path)).toBe(2);
  expect((await app.get(path)).json()).toEqual(winner?.json());
  await expectDerivedColumnsRight();
});

test('members that are edited at once do not overwrite each other', async () => {
  const { stages } = await purposeWithPurchase();
  const path = `/stages/${stages[0]?.id}`;
  const answers = await Promise.all([
    app.patch(path, { value: 'v' }),
    app.patch(path, { note: 'n' }),
    app.patch(path, { completion_date: '2026-01-01' }),
    app.post(`${path}/start`),
  ]);
  expect(statuses(answers)).toEqual({ 200: 4 });
  expect((await app.get(path)).as(getStage)).toMatchObject({
    value: 'v',
    note: 'n',
    completion_date: '2026-01-01',
    started_at: expect.any(String),
  });
  await expectDerivedColumnsRight();
});

test('fifty mixed edits of one purchase lose nothing', async () => {
  const { purposeId, purchase, stages } = await purposeWithPurchase();
  const path = `/purchases/${purchase.id}`;
  /** Adds a stage to the chain as careful clients do: read, edit that state, begin again when somebody was faster. */
  async function addStage(custom_name: string): Promise<TestResponse> {
    for (;;) {
      const read = await app.get(path);
      const chain = read
        .as(contract.getPurchase)
        .flow_stages.map((level) => [level].flat().map(({ id }) => ({ id })));
      const answer = await app.patch(
        path,
        { stages: [...chain, { custom_name }] },
        { headers: { 'if-match': String(read.headers['etag']) } },
      );
      if (answer.status !== 412) return answer;
    }
  }
  const answers = await Promise.all([
    ...stages.map(({ id }, n) => app.patch(`/stages/${id}`, { completion_date: `2026-01-${10 + n}` })),
    ...stages.map(({ id }, n) => app.patch(`/stages/${id}`, { note: `note ${n}` })),
    ...range.slice(0, 8).map((n) => addStage(`custom ${n}`)),
    ...range.slice(0, 8).map((n) => app.patch(path, { budget_source_id: 1 + (n % 4) })),
    ...range.slice(0, 6).map((n) => app.put(`${path}/costs`, { costs: [{ currency: 'ILS', amount: n }] })),
    ...range.slice(0, 6).map(() => app.post('/purchases', { purpose_id: purposeId })),
  ]);
  expect(answers).toHaveLength(PARALLEL);
  expect(statuses(answers)).toEqual({ 200: 44, 201: 6 });

  const after = await get(purchase.id);
  const found = after.flow_stages.flat();
  for (const [n, { id }] of stages.entries()) {
    expect(found.find((stage) => stage.id === id)).toMatchObject({
      completion_date: `2026-01-${10 + n}`,
      note: `note ${n}`,
    });
  }
  expect(new Set(found.flatMap(({ custom_name }) => custom_name ?? []))).toEqual(
    new Set(range.slice(0, 8).map((n) => `custom ${n}`)),
  );
  expect(after.costs).toHaveLength(1);
  expect(await version(path)).toBe(1 + 44);
  expect(await version(`/purposes/${purposeId}`)).toBe(2 + 50);
  await expectDerivedColumnsRight();
});

test('chains replaced at once leave exactly one of them, whole', async () => {
  const { purchase } = await purposeWithPurchase();
  const answers = await Promise.all(
    range.map((n) =>
      app.patch(`/purchases/${purchase.id}`, {
        stages: [{ custom_name: `first ${n}` }, [{ custom_name: `second ${n}` }, { stage_type_id: 6 }]],
      }),
    ),
  );
  expect(statuses(answers)).toEqual({ 200: PARALLEL });
  const [first, second, typed, ...others] = (await get(purchase.id)).flow_stages.flat();
  expect(others).toEqual([]);
  expect(second?.custom_name).toBe(first?.custom_name?.replace('first', 'second'));
  expect(typed?.stage_type_id).toBe(6);
  expect(await version(`/purchases/${purchase.id}`)).toBe(1 + PARALLEL);
  await expectDerivedColumnsRight();
});

test('a stage and a purchase that go while they are edited are not found; the others are edited', async () => {
  const { purposeId, purchase, stages } = await purposeWithPurchase();
  const answers = await Promise.all([
    ...stages.map(({ id }) => app.patch(`/stages/${id}`, { note: 'x' })),
    app.delete(`/purchases/${purchase.id}`),
    ...stages.map(({ id }) => app.patch(`/stages/${id}`, { completion_date: '2026-01-01' })),
    app.patch(`/purchases/${purchase.id}`, { stages: [] }),
    app.post(`/purchases/${purchase.id}/flow`),
  ]);
  expect(answers.filter(({ status }) => ![200, 204, 404].includes(status)).map(({ text }) => text)).toEqual(
    [],
  );
  expect(statuses(answers)['204']).toBe(1);
  expect((await app.get(`/purposes/${purposeId}`)).json()).toMatchObject({
    purchases: [],
    pending_authority: null,
  });
  await expectDerivedColumnsRight();
});

test('what purchases refer to may go while they are edited', async () => {
  const source = (await app.post('/budget-sources', { name: 'Passing' })).as(budgetSources.create);
  const flow = (await app.post('/predefined-flows', { flow_name: 'PASSING', stages: ['bom', 'blm'] })).as(
    createPredefinedFlow,
  );
  await sql`update flow_rule set flow_name = 'PASSING' where id = 1`.execute(app.db);
  const { id: purposeId } = (await app.post('/purposes', {})).as(createPurpose);
  const add = () => app.post('/purchases', { purpose_id: purposeId, budget_source_id: source.id });
  const purchases = await Promise.all(
    range.slice(0, 10).map(async () => (await add()).as(contract.createPurchase)),
  );
  const answers = await Promise.all([
    ...purchases.map(({ flow_stages }) => app.patch(`/stages/${flow_stages.flat()[0]?.id}`, { note: 'x' })),
    app.delete(`/budget-sources/${source.id}`),
    app.delete(`/predefined-flows/${flow.id}`),
    ...purchases.map(({ id }) => app.patch(`/purchases/${id}`, { budget_source_id: 1 })),
    ...purchases.map(() => add()),
  ]);
  // Those that came too late to refer to them are told so.
  expect(answers.filter(({ status }) => status >= 500).map(({ text }) => text)).toEqual([]);
  expect(statuses(answers)['204']).toBe(2);
  for (const { id } of purchases) {
    expect(await get(id)).toMatchObject({ budget_source_id: 1 });
  }
  const { rows } = await sql`select id from purchase
    where predefined_flow_id = ${flow.id} or budget_source_id = ${source.id}`.execute(app.db);
  expect(rows).toEqual([]);
  await expectDerivedColumnsRight();
});

test('another authority of a stage type misses no purchase that comes at the same time', async () => {
  const costs = [{ currency: 'ILS', amount: 1 }];
  const purposes = await Promise.all(
    range.slice(0, 20).map(async () => (await app.post('/purposes', {})).as(createPurpose).id),
  );
  const answers = await Promise.all(
    purposes.flatMap((purpose_id, n) => [
      app.post('/purchases', { purpose_id, costs }),
      ...(n % 4 === 0 ? [app.patch('/stage-types/6', { responsible_authority_id: 1 + (n % 3) })] : []),
    ]),
  );
  expect(statuses(answers)).toEqual({ 200: 5, 201: 20 });
  await expectDerivedColumnsRight();
});

test.each([
  {
    change: 'gets another name and authority',
    send: (id: number) =>
      app.patch(`/stage-types/${id}`, { name: `other ${id}`, responsible_authority_id: 2 }),
    status: 200,
  },
  { change: 'is deleted', send: (id: number) => app.delete(`/stage-types/${id}`), status: 409 },
])('a stage type that $change is not held while others are at its stages', async ({ send, status }) => {
  const { purposeId, purchase } = await purposeWithPurchase();
  const type = (await app.post('/stage-types', { name: `held ${status}`, display_name: 'Held' })).as(
    stageTypes.create,
  );
  await app.patch(`/purchases/${purchase.id}`, { stages: [{ stage_type_id: type.id }] });
  const [sent] = await app.db.transaction().execute(async (tx) => {
    await sql`select from purpose where id = ${purposeId} for no key update`.execute(tx);
    await sql`delete from stage where purchase_id = ${purchase.id}`.execute(tx);
    const answer = send(type.id);
    await expect.poll(waitingForLocks).toBe(1);
    await sql`select from stage_type where id = ${type.id} for key share nowait`.execute(tx);
    await sql`insert into stage (purchase_id, stage_type_id, priority)
      values (${purchase.id}, ${type.id}, 1)`.execute(tx);
    return [answer];
  });
  expect((await sent)?.status).toBe(status);
  await expectDerivedColumnsRight();
});

async function waitingForLocks(): Promise<number> {
  const { rows } = await sql`select from pg_locks l join pg_stat_activity a using (pid)
    where not l.granted and a.datname = current_database()`.execute(app.db);
  return rows.length;
}

test('renamed stage types with another authority and edited chains do not wait for each other in circles', async () => {
  const purchases = await Promise.all(
    range.slice(0, 6).map(async () => (await purposeWithPurchase()).purchase.id),
  );
  const { id: type } = (await app.post('/stage-types', { name: 'renamed', display_name: 'Renamed' })).as(
    stageTypes.create,
  );
  const until = Date.now() + 3000;
  async function again(send: (n: number) => Promise<TestResponse>): Promise<TestResponse[]> {
    const answers: TestResponse[] = [];
    while (Date.now() < until) answers.push(await send(answers.length));
    return answers;
  }
  const stages = [{ stage_type_id: type }, [{ stage_type_id: 6 }, { stage_type_id: type }]];
  const answers = await Promise.all([
    ...purchases.map((id) => again(() => app.patch(`/purchases/${id}`, { stages }))),
    ...[1, 2, 3].map((who) =>
      again((n) =>
        app.patch(`/stage-types/${type}`, {
          name: `renamed ${who} ${n}`,
          responsible_authority_id: 1 + ((who + n) % 3),
        }),
      ),
    ),
    again(async () => {
      const passing = await app.post('/responsible-authorities', { name: 'Passing' });
      const { id } = passing.as(responsibleAuthorities.create);
      await app.patch('/stage-types/6', { responsible_authority_id: id });
      return app.delete(`/responsible-authorities/${id}`);
    }),
  ]);
  expect(
    answers
      .flat()
      .filter(({ status }) => status >= 400)
      .map(({ text }) => text),
  ).toEqual([]);
  await expectDerivedColumnsRight();
});
