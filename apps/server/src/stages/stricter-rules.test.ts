import { createPurchase, getPurchase } from '@calculaud/contract/purchases';
import { createPurpose } from '@calculaud/contract/purposes';
import { updateStage } from '@calculaud/contract/stages';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { calendarDay } from '../platform/context.ts';
import { type TestApp, testApp } from '../testing/app.ts';

/** The farthest zone there is: its today differs from that of UTC for most of the day. */
const timeZone = 'Pacific/Kiritimati';

let app: TestApp;
beforeAll(async () => {
  app = await testApp({ CALCULAUD_RULES: 'value-required,stage-order', CALCULAUD_TIMEZONE: timeZone });
});
afterAll(() => app.close());

let purchaseId: number;
/** Level 1; takes a value. */
let emf: number;
/** Level 2, three in parallel; they take none. */
let parallel: number[];
/** Level 3. */
let third: number;
beforeEach(async () => {
  const purpose = (await app.post('/purposes', {})).as(createPurpose);
  const costs = [{ currency: 'ILS', amount: 1 }];
  const purchase = (await app.post('/purchases', { purpose_id: purpose.id, costs })).as(createPurchase);
  purchaseId = purchase.id;
  const levels = purchase.flow_stages.map((level) => [level].flat().map(({ id }) => id));
  emf = levels[0]?.[0] ?? 0;
  parallel = levels[1] ?? [];
  third = levels[2]?.[0] ?? 0;
});

const patch = (id: number, body: object) => app.patch(`/stages/${id}`, body);
const complete = async (id: number, completion_date: string, more: object = {}) =>
  (await patch(id, { completion_date, ...more })).as(updateStage);
async function completeFirstLevels(): Promise<void> {
  await complete(emf, '2026-01-05', { value: 'E-1' });
  for (const [index, id] of parallel.entries()) await complete(id, `2026-01-1${index}`);
}
/** As it was before the rule was chosen. */
async function asBefore(id: number, completionDate: string): Promise<void> {
  await sql`update stage set completion_date = ${completionDate} where id = ${id}`.execute(app.db);
}

describe('value-required', () => {
  test.each([{}, { value: null }, { value: '' }, { value: '  ' }])(
    'a stage whose type takes a value is not completed with %j',
    async (value) => {
      const answer = await patch(emf, { completion_date: '2026-01-05', ...value });
      expect(answer.status).toBe(422);
      expect(answer.json()).toMatchObject({
        detail: [{ type: 'value_required', loc: ['body', 'value'] }],
        message: expect.stringContaining("A stage of the type 'emf_id' is complete only with its value"),
      });
    },
  );

  test('the value may come with the completion or before it, and does not go after it', async () => {
    await patch(emf, { value: 'E-1' });
    expect(await complete(emf, '2026-01-05')).toMatchObject({ value: 'E-1', completion_date: '2026-01-05' });
    expect((await patch(emf, { value: null })).status).toBe(422);
    expect((await patch(emf, { value: null, completion_date: null })).status).toBe(200);
    expect((await patch(emf, { value: 'E-2', completion_date: '2026-01-06' })).status).toBe(200);
  });

  test('does not ask for values where the type takes none', async () => {
    await complete(emf, '2026-01-05', { value: 'E-1' });
    expect((await patch(parallel[0] ?? 0, { completion_date: '2026-01-06' })).status).toBe(200);
  });

  test('a stage that was completed without one before takes a note, also beside what it has', async () => {
    await asBefore(emf, '2026-01-05');
    expect((await patch(emf, { note: 'n', value: null, completion_date: '2026-01-05' })).status).toBe(200);
    expect((await patch(emf, { completion_date: '2026-01-06' })).status).toBe(422);
  });
});

describe('stage-order', () => {
  test('a level is completed when nothing before it is pending, and its stages in any order', async () => {
    const early = await patch(parallel[0] ?? 0, { completion_date: '2026-01-06' });
    expect(early.status).toBe(409);
    expect(early.json()).toMatchObject({
      code: 'out_of_order',
      detail: `Stage with ID ${parallel[0]} cannot be completed: earlier stages are pending (${emf})`,
    });
    await complete(emf, '2026-01-05', { value: 'E-1' });
    await complete(parallel[2] ?? 0, '2026-01-09');
    await complete(parallel[0] ?? 0, '2026-01-06');
    expect((await patch(third, { completion_date: '2026-02-01', value: 'B' })).text).toContain(
      `earlier stages are pending (${parallel[1]})`,
    );
  });

  test('no completion lies in the future, by the day of the organisation', async () => {
    const today = calendarDay(new Date(), timeZone);
    const tomorrow = calendarDay(new Date(Date.now() + 86_400_000), timeZone);
    const answer = await patch(emf, { value: 'E-1', completion_date: tomorrow });
    expect(answer.status).toBe(422);
    expect(answer.json()).toMatchObject({
      detail: [{ loc: ['body', 'completion_date'], input: tomorrow }],
      message: expect.stringContaining('A stage cannot be completed in the future'),
    });
    expect(await complete(emf, today, { value: 'E-1' })).toMatchObject({ completion_date: today });
  });

  test('no completion lies before the latest of the level ahead, or after the earliest of the level behind', async () => {
    await completeFirstLevels();
    const early = await patch(third, { completion_date: '2026-01-11', value: 'B' });
    expect(early.status).toBe(422);
    expect(early.text).toContain('before the level ahead of it, which was on 2026-01-12');
    await complete(third, '2026-01-12', { value: 'B' });
    const late = await patch(parallel[0] ?? 0, { completion_date: '2026-01-13' });
    expect(late.status).toBe(422);
    expect(late.text).toContain('after the level behind it, which was on 2026-01-12');
    await complete(parallel[0] ?? 0, '2026-01-12');
  });

  test('the last complete level is the one that is reopened', async () => {
    await completeFirstLevels();
    const answer = await patch(emf, { completion_date: null });
    expect(answer.status).toBe(409);
    expect(answer.text).toContain(`later stages are complete (${parallel.join(', ')})`);
    expect((await patch(parallel[1] ?? 0, { completion_date: null })).status).toBe(200);
  });

  test('a stage that was completed out of order before takes a note', async () => {
    await asBefore(third, '2026-01-01');
    expect((await patch(third, { note: 'n', completion_date: '2026-01-01' })).status).toBe(200);
    expect((await patch(third, { completion_date: '2026-01-02', value: 'B' })).status).toBe(409);
  });

  test('holds when one person reopens a level while another completes the next', async () => {
    const [next = 0] = parallel;
    for (let round = 0; round < 20; round += 1) {
      await complete(emf, '2026-01-05', { value: 'E-1' });
      const [reopened, completed] = await Promise.all([
        patch(emf, { completion_date: null }),
        patch(next, { completion_date: '2026-01-06' }),
      ]);
      expect([reopened.status, completed.status].toSorted((one, other) => one - other)).toEqual([200, 409]);
      const purchase = (await app.get(`/purchases/${purchaseId}`)).as(getPurchase);
      const [first, second] = purchase.flow_stages.map((level) => [level].flat()[0]?.completion_date);
      expect([first, second]).toEqual(reopened.status === 200 ? [null, null] : ['2026-01-05', '2026-01-06']);
      await patch(next, { completion_date: null });
    }
  });

  test('holds when everybody completes a stage at once', async () => {
    await patch(emf, { value: 'E-1' });
    const all = [emf, ...parallel, third];
    const answers = await Promise.all(
      all.flatMap((id) => Array.from({ length: 5 }, () => patch(id, { completion_date: '2026-01-05' }))),
    );
    const purchase = (await app.get(`/purchases/${purchaseId}`)).as(getPurchase);
    const levels = purchase.flow_stages.map((level) => [level].flat());
    const firstPending = levels.findIndex((level) => level.some((stage) => stage.completion_date === null));
    expect(
      levels
        .slice(firstPending + 1)
        .flat()
        .every((stage) => stage.completion_date === null),
    ).toBe(true);
    expect(answers.every(({ status }) => [200, 409, 422].includes(status))).toBe(true);
    expect(levels[0]?.[0]?.completion_date).toBe('2026-01-05');
  });
});
