import { createPurchase, getPurchase } from '@calculaud/contract/purchases';
import { createPurpose, getPurpose } from '@calculaud/contract/purposes';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

/** Stage types that nobody, Legal, Finance and Security are responsible for. */
const NOBODYS = 900;
const LEGAL = 901;
const FINANCE = 902;
const SECURITY = 903;

let app: TestApp;
let purpose: number;

beforeAll(async () => {
  app = await testApp();
  await app.db.pool.query(`
    insert into responsible_authority (id, name) values (901, 'Legal'), (902, 'Finance'), (903, 'Security');
    insert into stage_type (id, name, display_name, responsible_authority_id) values
      (900, 'nobodys', 'Nobody', null), (901, 'legal', 'Legal', 901), (902, 'finance', 'Finance', 902),
      (903, 'security', 'Security', 903), (904, 'more_legal', 'More legal', 901)`);
});
afterAll(() => app.close());
beforeEach(async () => {
  purpose = (await app.post('/purposes', {})).as(createPurpose).id;
});

/** A purchase with these stages: type, level, and whether it is complete. */
async function purchase(...stages: readonly (readonly [number, number, boolean?])[]): Promise<number> {
  const { id } = (await app.post('/purchases', { purpose_id: purpose })).as(createPurchase);
  for (const [type, priority, done = false] of stages) {
    await app.db.pool.query(
      `insert into stage (purchase_id, stage_type_id, priority, completion_date)
       values ($1, $2, $3, case when $4 then current_date end)`,
      [id, type, priority, done],
    );
  }
  return id;
}

const names = (authorities: readonly { name: string }[]) => authorities.map(({ name }) => name);
const ofPurpose = async () =>
  names((await app.get(`/purposes/${purpose}`)).as(getPurpose).pending_authorities);
const ofPurchase = async (id: number) => (await app.get(`/purchases/${id}`)).as(getPurchase);

test('a purpose without purchases waits for nobody', async () => {
  expect(await ofPurpose()).toEqual([]);
});

test('all stages of the current level count, each authority once; completed and later ones do not', async () => {
  const id = await purchase(
    [FINANCE, 1, true],
    [SECURITY, 2],
    [LEGAL, 2],
    [904, 2],
    [NOBODYS, 2],
    [FINANCE, 2, true],
    [FINANCE, 3],
  );
  expect(names((await ofPurchase(id)).pending_authorities)).toEqual(['Legal', 'Security']);
  expect(await ofPurpose()).toEqual(['Legal', 'Security']);
});

test('a purpose waits for whom any of its purchases waits for', async () => {
  const [first, second] = [await purchase([LEGAL, 1]), await purchase([LEGAL, 1, true], [FINANCE, 2])];
  expect(names((await ofPurchase(first)).pending_authorities)).toEqual(['Legal']);
  expect(names((await ofPurchase(second)).pending_authorities)).toEqual(['Finance']);
  expect(await ofPurpose()).toEqual(['Legal', 'Finance']);
});

test('where v1 looks ahead or back, nobody is waited for', async () => {
  const ahead = await ofPurchase(await purchase([NOBODYS, 1], [SECURITY, 2]));
  expect(ahead.pending_authority?.name).toBe('Security');
  expect(ahead.pending_authorities).toEqual([]);
  const back = await ofPurchase(await purchase([LEGAL, 1, true]));
  expect(back.pending_authority?.name).toBe('Legal');
  expect(back.pending_authorities).toEqual([]);
});

test('the answers to writes have it, too', async () => {
  const response = await app.post('/purchases', {
    purpose_id: purpose,
    costs: [{ currency: 'ILS', amount: 5 }],
  });
  const { id, pending_authorities } = response.as(createPurchase);
  expect(pending_authorities).toEqual((await ofPurchase(id)).pending_authorities);
});
