import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createPurpose, getPurpose } from '@calculaud/contract/purposes';
import { type TestApp, testApp } from '../testing/app.ts';
import { runAutoFlag } from './service.ts';

/** Stage types of the reference data. */
const EMF = 6;
const SECURITY = 7;
const BOM = 9;

const TODAY = '2026-03-31';
const DEFAULT_DAYS = 10;

let server: TestApp;
let owner: pg.Client;

beforeAll(async () => {
  server = await testApp();
  owner = new pg.Client({ connectionString: server.ownerUrl });
  await owner.connect();
});

afterAll(async () => {
  await owner.end();
  await server.close();
});

beforeEach(async () => {
  await owner.query('delete from purpose');
  await owner.query('update stage_type set auto_flag_days = null');
});

const newPurpose = async (body: object = {}): Promise<number> =>
  (await server.post('/purposes/', body)).as(createPurpose).id;

const purpose = async (id: number) => (await server.get(`/purposes/${id}`)).as(getPurpose);

const flag = async (id: number, is_flagged: boolean) => {
  await server.patch(`/purposes/${id}`, { is_flagged });
};

const run = async (today = TODAY) => runAutoFlag(server.db, today, DEFAULT_DAYS);

/** How the flag of a purpose came about. */
const story = async (id: number) => {
  const { rows } = await owner.query<{
    is_flagged: boolean;
    auto: boolean;
    reason: unknown;
    cleared: boolean;
  }>(
    `select is_flagged, auto_flagged_at is not null as auto, auto_flag_reason as reason,
       flag_cleared_at is not null as cleared from purpose where id = $1`,
    [id],
  );
  return rows[0];
};

/** A purchase whose first stage was completed on a day, and which waits at the given stage types since. */
const waiting = async (purposeId: number, since: string | null, types: readonly number[] = [SECURITY]) => {
  const { rows } = await owner.query<{ id: number }>(
    'insert into purchase (purpose_id) values ($1) returning id',
    [purposeId],
  );
  const id = rows[0]?.id ?? 0;
  await owner.query(
    `insert into stage (purchase_id, stage_type_id, priority, completion_date)
     values ($1, ${EMF}, 1, $2)`,
    [id, since],
  );
  await owner.query(
    'insert into stage (purchase_id, stage_type_id, priority) select $1, unnest($2::integer[]), 2',
    [id, types],
  );
  return id;
};

/** A stage of the purchase is done; the next level begins. */
const proceed = async (purchaseId: number, on: string) => {
  await owner.query('update stage set completion_date = $2 where purchase_id = $1 and priority = 2', [
    purchaseId,
    on,
  ]);
  await owner.query(`insert into stage (purchase_id, stage_type_id, priority) values ($1, ${BOM}, 3)`, [
    purchaseId,
  ]);
};

describe('a purpose is flagged', () => {
  test('after more than ten days without progress, not after ten', async () => {
    const [ten, eleven] = [await newPurpose(), await newPurpose()];
    await waiting(ten, '2026-03-21');
    const purchase = await waiting(eleven, '2026-03-20');
    expect(await run()).toEqual({ flagged: 1, unflagged: 0 });
    expect(await story(ten)).toMatchObject({ is_flagged: false });
    expect(await story(eleven)).toEqual({
      is_flagged: true,
      auto: true,
      reason: { purchase_id: purchase, stage_type_id: SECURITY, days: 11, allowed_days: 10 },
      cleared: false,
    });
  });

  test('for the purchase that waits longest, whatever the others do', async () => {
    const id = await newPurpose();
    await waiting(id, '2026-03-30');
    await waiting(id, '2026-03-01');
    await run();
    expect((await purpose(id)).is_flagged).toBe(true);
  });

  test('and touched, and the system is named as who did it', async () => {
    const id = await newPurpose();
    await waiting(id, '2026-03-01');
    const before = await purpose(id);
    await run();
    const after = await purpose(id);
    expect(after.last_modified > before.last_modified).toBe(true);
    const { rows } = await owner.query(
      'select p.kind, p.subject from purpose o join principal p on p.id = o.updated_by where o.id = $1',
      [id],
    );
    expect(rows).toEqual([{ kind: 'system', subject: 'auto-flag' }]);
  });

  test.each([
    ['SIGNED', true],
    ['PARTIALLY_SUPPLIED', true],
    ['COMPLETED', false],
  ])('in the status %s: %s', async (status, flagged) => {
    const id = await newPurpose({ status });
    await waiting(id, '2026-03-01');
    await run();
    expect((await purpose(id)).is_flagged).toBe(flagged);
  });

  test('not without a purchase, not at the first stage, not when everything is done', async () => {
    const [empty, first, done] = [await newPurpose(), await newPurpose(), await newPurpose()];
    await waiting(first, null);
    await owner.query("update purpose set creation_time = '2020-01-01'");
    const purchase = await waiting(done, '2026-01-01');
    await owner.query("update stage set completion_date = '2026-01-02' where purchase_id = $1", [purchase]);
    expect(await run()).toEqual({ flagged: 0, unflagged: 0 });
    expect((await purpose(empty)).is_flagged).toBe(false);
  });

  test('once: a second run finds nothing to do and touches nothing', async () => {
    const id = await newPurpose();
    await waiting(id, '2026-03-01');
    await run();
    const before = await purpose(id);
    expect(await run()).toEqual({ flagged: 0, unflagged: 0 });
    expect(await purpose(id)).toEqual(before);
  });
});

test('the purpose tells when and why it was flagged, as long as it is the job that flagged it', async () => {
  const id = await newPurpose();
  expect(await purpose(id)).toMatchObject({ auto_flagged_at: null, auto_flag_reason: null });
  const purchase = await waiting(id, '2026-03-01');
  const before = Date.now();
  await run();
  const flagged = await purpose(id);
  expect(flagged.auto_flag_reason).toEqual({
    purchase_id: purchase,
    stage_type_id: SECURITY,
    days: 30,
    allowed_days: DEFAULT_DAYS,
  });
  expect(Date.parse(flagged.auto_flagged_at ?? '')).toBeGreaterThanOrEqual(before);
  await flag(id, false);
  expect(await purpose(id)).toMatchObject({ auto_flagged_at: null, auto_flag_reason: null });
  await flag(id, true);
  expect(await purpose(id)).toMatchObject({
    is_flagged: true,
    auto_flagged_at: null,
    auto_flag_reason: null,
  });
});

describe('the days that a stage type allows', () => {
  test('count instead of the default', async () => {
    const [patient, hurried] = [await newPurpose(), await newPurpose()];
    await waiting(patient, '2026-03-01', [SECURITY]);
    await waiting(hurried, '2026-03-28', [BOM]);
    await owner.query(
      `update stage_type set auto_flag_days = case id when ${SECURITY} then 60 when ${BOM} then 2 end`,
    );
    await run();
    expect(await story(patient)).toMatchObject({ is_flagged: false });
    expect(await story(hurried)).toMatchObject({
      is_flagged: true,
      reason: { stage_type_id: BOM, days: 3, allowed_days: 2 },
    });
  });

  test('are those of the strictest among parallel stages that are still open', async () => {
    const [open, closed] = [await newPurpose(), await newPurpose()];
    await owner.query(`update stage_type set auto_flag_days = 2 where id = ${BOM}`);
    await waiting(open, '2026-03-28', [SECURITY, BOM]);
    const purchase = await waiting(closed, '2026-03-28', [SECURITY, BOM]);
    await owner.query(
      `update stage set completion_date = '2026-03-29' where purchase_id = $1 and stage_type_id = ${BOM}`,
      [purchase],
    );
    await run();
    expect((await purpose(open)).is_flagged).toBe(true);
    expect((await purpose(closed)).is_flagged).toBe(false);
  });
});

describe('the flag goes again', () => {
  test('when the purpose moves', async () => {
    const id = await newPurpose();
    const purchase = await waiting(id, '2026-03-01');
    await run();
    await proceed(purchase, '2026-03-31');
    expect(await run()).toEqual({ flagged: 0, unflagged: 1 });
    expect(await story(id)).toEqual({ is_flagged: false, auto: false, reason: null, cleared: false });
  });

  test('when the purpose is completed', async () => {
    const id = await newPurpose();
    await waiting(id, '2026-03-01');
    await run();
    await server.patch(`/purposes/${id}`, { status: 'COMPLETED' });
    await run();
    expect((await purpose(id)).is_flagged).toBe(false);
  });

  test('not while another purchase is still stuck', async () => {
    const id = await newPurpose();
    const purchase = await waiting(id, '2026-03-01');
    await waiting(id, '2026-03-02');
    await run();
    await proceed(purchase, '2026-03-31');
    await run();
    expect((await purpose(id)).is_flagged).toBe(true);
  });

  test('not when a person set it', async () => {
    const id = await newPurpose();
    await flag(id, true);
    expect(await run()).toEqual({ flagged: 0, unflagged: 0 });
    expect(await story(id)).toMatchObject({ is_flagged: true, auto: false });
  });

  test('and comes back when the purpose is stuck at the next stage', async () => {
    const id = await newPurpose();
    const purchase = await waiting(id, '2026-03-01');
    await run();
    await proceed(purchase, '2026-03-31');
    await run();
    await run('2026-04-11');
    expect((await purpose(id)).is_flagged).toBe(true);
  });
});

describe('a flag that a person took away', () => {
  test('stays away while nothing moves', async () => {
    const id = await newPurpose();
    await waiting(id, '2026-03-01');
    await run();
    await flag(id, false);
    expect(await story(id)).toEqual({ is_flagged: false, auto: false, reason: null, cleared: true });
    expect(await run()).toEqual({ flagged: 0, unflagged: 0 });
    expect(await run('2027-01-01')).toEqual({ flagged: 0, unflagged: 0 });
  });

  test('comes back when a later stage takes too long, even one that is dated back', async () => {
    const id = await newPurpose();
    const purchase = await waiting(id, '2026-03-01');
    await run();
    await flag(id, false);
    await proceed(purchase, '2026-03-05');
    expect(await run()).toEqual({ flagged: 1, unflagged: 0 });
  });

  test('comes back for another purchase that takes too long', async () => {
    const id = await newPurpose();
    await waiting(id, '2026-03-01');
    await run();
    await flag(id, false);
    const other = await waiting(id, '2026-03-02');
    await run();
    expect(await story(id)).toMatchObject({ is_flagged: true, reason: { purchase_id: other } });
  });

  test('is forgotten when he sets one himself', async () => {
    const id = await newPurpose();
    await flag(id, true);
    await flag(id, false);
    await flag(id, true);
    expect(await story(id)).toEqual({ is_flagged: true, auto: false, reason: null, cleared: false });
  });

  test('is no matter of an edit that leaves the flag as it is', async () => {
    const id = await newPurpose();
    await waiting(id, '2026-03-01');
    await run();
    await server.patch(`/purposes/${id}`, { is_flagged: true, comments: 'a form sends everything' });
    expect(await story(id)).toMatchObject({ is_flagged: true, auto: true });
  });
});

test('a purpose that somebody is editing is left to the next run', async () => {
  const id = await newPurpose();
  await waiting(id, '2026-03-01');
  await owner.query('begin');
  await owner.query("update purpose set comments = 'busy' where id = $1", [id]);
  expect(await run()).toEqual({ flagged: 0, unflagged: 0 });
  await owner.query('commit');
  expect(await run()).toEqual({ flagged: 1, unflagged: 0 });
});
