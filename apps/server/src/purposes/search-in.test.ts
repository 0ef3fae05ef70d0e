import { listPurposes, summarizePurposes } from '@calculaud/contract/purposes';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
const wanted = 5001;
const purchase = 7001;

beforeAll(async () => {
  app = await testApp();
  await app.db.pool.query(`
    insert into responsible_authority (id, name) values (900, 'Comptroller');
    insert into stage_type (id, name, display_name, responsible_authority_id) values
      (900, 'legal_check', 'Opinion of counsel', null), (901, 'approval', 'Approval', 900), (902, 'plain', 'Plain', null);
    insert into hierarchy (id, name, type, path) values (900, 'North', 'UNIT', 'North');
    insert into hierarchy (id, name, type, path, parent_id) values (901, 'Depot', 'TEAM', 'North / Depot', 900);
    insert into file_attachment (id, original_filename, s3_key, mime_type, file_size)
      values (900, 'Offer_100%.pdf', 'files/offer.pdf', 'application/pdf', 1000)`);
  // Ids that occur in no text, and that purposes and purchases do not share.
  await app.db.pool.query(`
    insert into purpose (id, description, hierarchy_id) values
      (${wanted}, null, 901), (5002, null, null), (5003, 'something else', null);
    insert into purpose_file_attachment (purpose_id, file_attachment_id) values (${wanted}, 900);
    insert into purchase (id, purpose_id) values (${purchase}, ${wanted}), (7002, 5002);
    insert into stage (purchase_id, stage_type_id, priority) values
      (${purchase}, 900, 1), (${purchase}, 901, 2), (7002, 902, 1)`);
});
afterAll(() => app.close());

async function found(search: string, more = ''): Promise<number[]> {
  const response = await app.get(`/purposes?search=${encodeURIComponent(search)}${more}`);
  return response.as(listPurposes).items.map(({ id }) => id);
}
const everywhere = (search: string) => found(search, '&search_in=everything');

describe.each([
  ['the id of the purpose', String(wanted)],
  ['the id of a purchase', ` ${purchase} `],
  ['a name further up in the hierarchy', 'nORTH / d'],
  ['the authority whose turn it is', 'comptroller'],
  ['the technical name of a stage type', 'legal_check'],
  ['the shown name of a stage type', 'counsel'],
  ['the name of a file, wildcards as they are written', 'offer_100%'],
])('%s', (_, search) => {
  test('is found on request', async () => {
    expect(await everywhere(search)).toEqual([wanted]);
  });

  test('is not looked at by default, as in v1', async () => {
    expect(await found(search)).toEqual([]);
    expect(await found(search, '&search_in=v1')).toEqual([]);
  });
});

test('whatever v1 finds is found as well', async () => {
  expect(await everywhere('Depot')).toEqual(await found('Depot'));
  expect(await found('Depot')).toEqual([wanted]);
  expect(await everywhere('something')).toHaveLength(1);
});

test('an id is matched as a whole number; one that no column holds is no failure', async () => {
  expect(await everywhere(String(wanted).slice(0, -1))).toEqual([]);
  expect(await everywhere('9999999999')).toEqual([]);
  expect(await everywhere('99999999999999999999')).toEqual([]);
});

test('summaries and the export search alike', async () => {
  const query = '?search=counsel&search_in=everything';
  const { items, total } = (await app.get(`/purposes/summaries${query}`)).as(summarizePurposes);
  expect({ ids: items.map(({ id }) => id), total }).toEqual({ ids: [wanted], total: 1 });
  const lines = (await app.get(`/purposes/export_csv${query}`)).text.split('\r\n');
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(new RegExp(`^"${wanted}",`));
});

test('any other place is refused', async () => {
  expect((await app.get('/purposes?search=a&search_in=nowhere')).status).toBe(422);
});
