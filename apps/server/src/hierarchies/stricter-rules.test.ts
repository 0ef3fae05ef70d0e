import * as contract from '@calculaud/contract/hierarchies';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp({ CALCULAUD_RULES: 'strict' });
});
afterAll(() => app.close());

let names = 0;
function post(type: contract.Hierarchy['type'], parent_id: number | null = null) {
  names += 1;
  return app.post('/hierarchies/', { type, name: `Node ${names}`, parent_id });
}
const create = async (type: contract.Hierarchy['type'], parent: number | null = null) =>
  (await post(type, parent)).as(contract.createHierarchy).id;
const patch = (id: number, body: object) => app.patch(`/hierarchies/${id}`, body);

test('a node is made below one that ranks higher, by any number of ranks', async () => {
  const center = await create('CENTER');
  for (const type of ['UNIT', 'CENTER'] as const) {
    const refused = await post(type, center);
    expect(refused.status).toBe(409);
    expect(refused.json()).toMatchObject({
      code: 'wrong_rank',
      detail: expect.stringContaining(`A ${type} cannot stand below a CENTER`),
    });
  }
  for (const type of ['ANAF', 'MADOR', 'TEAM'] as const) await create(type, center);
  await create('TEAM');
});

test('a node moves below one that ranks higher', async () => {
  const [mador, team, other] = [await create('MADOR'), await create('TEAM'), await create('TEAM')];
  expect((await patch(mador, { parent_id: team })).status).toBe(409);
  expect((await patch(other, { parent_id: team })).status).toBe(409);
  expect((await patch(team, { parent_id: mador })).status).toBe(200);
  expect((await patch(team, { parent_id: null })).status).toBe(200);
});

test('another type fits between what is above and what is below', async () => {
  const center = await create('CENTER');
  const anaf = await create('ANAF', center);
  await create('TEAM', anaf);
  for (const type of ['UNIT', 'CENTER', 'TEAM']) expect((await patch(anaf, { type })).status).toBe(409);
  expect((await patch(anaf, { type: 'MADOR' })).status).toBe(200);
  expect((await patch(center, { type: 'UNIT' })).status).toBe(200);
});

test('a node that stood wrong before is renamed as ever', async () => {
  const center = await create('CENTER');
  const team = await create('TEAM', center);
  await sql`update hierarchy set type = 'UNIT' where id = ${team}`.execute(app.db);
  const body = { type: 'UNIT', name: 'Renamed', parent_id: center };
  expect((await patch(team, body)).status).toBe(200);
});

test('holds when parent and child change their types at once', async () => {
  for (let round = 0; round < 10; round += 1) {
    const parent = await create('CENTER');
    const child = await create('MADOR', parent);
    const answers = await Promise.all([patch(parent, { type: 'ANAF' }), patch(child, { type: 'ANAF' })]);
    expect(answers.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([200, 409]);
  }
});
