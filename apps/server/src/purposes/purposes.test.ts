import * as contract from '@calculaud/contract/purposes';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());
beforeEach(async () => {
  await app.db.deleteFrom('purpose').execute();
});

async function create(body: object = {}) {
  return (await app.post('/purposes/', body)).as(contract.createPurpose);
}
async function list(query = '') {
  return (await app.get(`/purposes/${query}`)).as(contract.listPurposes);
}
const ids = (page: { items: readonly { id: number }[] }) => page.items.map((item) => item.id);

async function insert(
  table: 'hierarchy' | 'supplier' | 'service_type' | 'service',
  values: object,
): Promise<number> {
  const row = await app.db
    .insertInto(table)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- four tables, each with values of its own
    .values(values as never)
    .returning('id')
    .executeTakeFirstOrThrow();
  return row.id;
}
let counter = 0;
const unique = (name: string) => `${name} ${++counter}`;

describe('filing a purpose', () => {
  test('an empty body makes an empty purpose in progress', async () => {
    const purpose = await create();
    expect(purpose).toMatchObject({
      description: null,
      status: 'IN_PROGRESS',
      is_flagged: false,
      contents: [],
      purchases: [],
      file_attachments: [],
      hierarchy: null,
      pending_authority: null,
    });
    expect(purpose.current_status_changed_at).toBe(purpose.creation_time);
  });

  test('numbers may come as text, unknown members are ignored', async () => {
    const supplier = await insert('supplier', { name: unique('Supplier') });
    const purpose = await create({
      supplier_id: String(supplier),
      is_flagged: 'yes',
      purchases: [1],
      nonsense: {},
    });
    expect(purpose).toMatchObject({ supplier_id: supplier, is_flagged: true });
  });

  test.each([
    [{ description: 'x'.repeat(2001) }, 'description'],
    [{ comments: 'x'.repeat(1001) }, 'comments'],
    [{ description: 5 }, 'description'],
    [{ description: 'a\u0000b' }, 'description'],
    [{ status: 'DONE' }, 'status'],
    [{ status: null }, 'status'],
    [{ is_flagged: null }, 'is_flagged'],
    [{ expected_delivery: '2026-02-30' }, 'expected_delivery'],
    [{ expected_delivery: '' }, 'expected_delivery'],
    [{ supplier_id: 1.5 }, 'supplier_id'],
    [{ supplier_id: 99999999999 }, 'supplier_id'],
    [{ contents: [{ service_id: 1, quantity: 0 }] }, 'quantity'],
    [{ contents: {} }, 'contents'],
  ])('refuses %j with 422 and names the field', async (body, field) => {
    const response = await app.post('/purposes', body);
    expect(response.status).toBe(422);
    expect(JSON.stringify(response.json())).toContain(field);
  });

  test.each([
    [{ hierarchy_id: 0 }, 'Hierarchy with ID 0 not found'],
    [{ supplier_id: 999_999 }, 'Supplier with ID 999999 not found'],
    [{ service_type_id: -1 }, 'Service type with ID -1 not found'],
    [{ contents: [{ service_id: 999_999, quantity: 1 }] }, 'Service with ID 999999 does not exist'],
    [{ file_attachment_ids: [7, 999_999] }, 'File with ID 7, 999999 not found'],
    [
      {
        contents: [
          { service_id: 999_999, quantity: 1 },
          { service_id: 999_999, quantity: 2 },
        ],
      },
      'Service with ID 999999 is already included in this purpose',
    ],
  ])('refuses %j with 400: %s', async (body, detail) => {
    const response = await app.post('/purposes', body);
    expect(response.status).toBe(400);
    expect(response.json()).toMatchObject({ detail });
    expect((await list()).total).toBe(0);
  });

  test('a description of 2000 Hebrew characters is stored and found', async () => {
    const description = 'רכש ציוד '.repeat(222);
    const purpose = await create({ description });
    expect(purpose.description).toBe(description);
    expect(ids(await list('?search=ציוד%20רכש'))).toEqual([purpose.id]);
  });
});

describe('changing a purpose', () => {
  test('only the members present are applied, null clears', async () => {
    const { id } = await create({ description: 'A', comments: 'B', expected_delivery: '2026-01-02' });
    const changed = (
      await app.patch(`/purposes/${id}`, { comments: null, expected_delivery: '2026-01-03T00:00:00' })
    ).as(contract.updatePurpose);
    expect(changed).toMatchObject({ description: 'A', comments: null, expected_delivery: '2026-01-03' });
  });

  test('equal values touch nothing; a real change touches and raises the version', async () => {
    const created = await app.post('/purposes', { description: 'A' });
    const { id, last_modified } = created.as(contract.createPurpose);
    const same = await app.patch(`/purposes/${id}`, { description: 'A' });
    expect(same.as(contract.updatePurpose).last_modified).toBe(last_modified);
    expect(same.headers['etag']).toBe(created.headers['etag']);
    const other = await app.patch(`/purposes/${id}`, { description: 'B' });
    expect(other.as(contract.updatePurpose).last_modified > last_modified).toBe(true);
    expect(other.headers['etag']).not.toBe(created.headers['etag']);
  });

  test('contents are replaced as a whole, and touch even when identical', async () => {
    const type = await insert('service_type', { name: unique('Type') });
    const service = await insert('service', { name: unique('Service'), service_type_id: type });
    const { id, contents, last_modified } = await create({
      contents: [{ service_id: service, quantity: '3' }],
    });
    expect(contents).toMatchObject([
      { service_id: service, quantity: 3, service_name: expect.stringContaining('Service') },
    ]);
    const same = (
      await app.patch(`/purposes/${id}`, { contents: [{ service_id: service, quantity: 3 }] })
    ).as(contract.updatePurpose);
    expect(same.contents).toMatchObject([{ service_id: service, quantity: 3 }]);
    expect(same.last_modified > last_modified).toBe(true);
    const kept = (await app.patch(`/purposes/${id}`, { contents: null })).as(contract.updatePurpose);
    expect(kept.contents).toHaveLength(1);
    const cleared = (await app.patch(`/purposes/${id}`, { contents: [] })).as(contract.updatePurpose);
    expect(cleared.contents).toEqual([]);
  });

  test('a changed status is written down with who and when, the same status is not', async () => {
    const { id } = await create();
    await app.patch(`/purposes/${id}`, { status: 'SIGNED' });
    await app.patch(`/purposes/${id}`, { status: 'SIGNED' });
    const history = (await app.get(`/purposes/${id}/status-history`)).as(contract.purposeStatusHistory);
    expect(history).toMatchObject([
      { previous_status: null, new_status: 'IN_PROGRESS', changed_by: 'Tester' },
      { previous_status: 'IN_PROGRESS', new_status: 'SIGNED', changed_by: 'Tester' },
    ]);
    const purpose = (await app.get(`/purposes/${id}`)).as(contract.getPurpose);
    expect(purpose.current_status_changed_at).toBe(history[1]?.changed_at);
  });

  test('If-Match with an older version is refused, with the current one or none it goes through', async () => {
    const { id } = await create();
    const { headers } = await app.get(`/purposes/${id}`);
    const etag = String(headers['etag']);
    const first = await app.patch(`/purposes/${id}`, { comments: '1' }, { headers: { 'if-match': etag } });
    expect(first.status).toBe(200);
    const stale = await app.patch(`/purposes/${id}`, { comments: '2' }, { headers: { 'if-match': etag } });
    expect(stale.status).toBe(412);
    expect(stale.headers['etag']).toBe(first.headers['etag']);
    expect((await app.delete(`/purposes/${id}`, { headers: { 'if-match': etag } })).status).toBe(412);
    expect(
      (await app.patch(`/purposes/${id}`, { comments: '3' }, { headers: { 'if-match': '*' } })).status,
    ).toBe(200);
    expect((await app.delete(`/purposes/${id}`)).status).toBe(204);
    expect((await app.get(`/purposes/${id}`)).status).toBe(404);
  });

  test('each of many edits at once is answered with its own state', async () => {
    const { id } = await create();
    const comments = Array.from({ length: 30 }, (_, n) => `comment ${n}`);
    const answers = await Promise.all(
      comments.map((comment) => app.patch(`/purposes/${id}`, { comments: comment })),
    );
    expect(answers.map((answer) => answer.as(contract.updatePurpose).comments)).toEqual(comments);
    expect(new Set(answers.map(({ headers }) => headers['etag'])).size).toBe(comments.length);
  });

  test('an unknown purpose is 404 for every operation', async () => {
    for (const response of [
      await app.get('/purposes/999999'),
      await app.patch('/purposes/999999', {}),
      await app.delete('/purposes/999999'),
      await app.get('/purposes/999999/status-history'),
    ]) {
      expect(response.status).toBe(404);
      expect(response.json()).toMatchObject({ detail: 'Purpose with ID 999999 not found' });
    }
  });
});

describe('the list', () => {
  test('is an envelope of exactly seven members, newest first', async () => {
    const made = [await create(), await create(), await create()].map((purpose) => purpose.id);
    const page = await list('?limit=2');
    expect(page).toMatchObject({ total: 3, page: 1, limit: 2, pages: 2, has_next: true, has_prev: false });
    expect(ids(page)).toEqual(made.toReversed().slice(0, 2));
    expect(ids(await list('?limit=2&page=2'))).toEqual(made.slice(0, 1));
    const beyond = await list('?limit=2&page=2147483647');
    expect(beyond).toMatchObject({ items: [], total: 3, has_next: false, has_prev: true });
  });

  test('an empty one has no pages', async () => {
    expect(await list()).toEqual({
      items: [],
      total: 0,
      page: 1,
      limit: 100,
      pages: 0,
      has_next: false,
      has_prev: false,
    });
  });

  test.each(['%', '_', '\\', "'", '"', '%27; drop table purpose; --'.slice(3)])(
    'searches %j as it is written',
    async (text) => {
      await create({ description: 'nothing special' });
      const { id } = await create({ comments: `before ${text} after` });
      expect(ids(await list(`?search=${encodeURIComponent(text)}`))).toEqual([id]);
    },
  );

  test('searches in every place that the contract names', async () => {
    const word = 'Needle';
    const supplier = await insert('supplier', { name: unique(word) });
    const type = await insert('service_type', { name: unique(word) });
    const other = await insert('service_type', { name: unique('Other') });
    const service = await insert('service', { name: unique(word), service_type_id: other });
    const hierarchy = await insert('hierarchy', { name: unique(word), type: 'UNIT', path: 'x' });
    const expected = [
      await create({ description: `a ${word}` }),
      await create({ comments: word.toLowerCase() }),
      await create({ supplier_id: supplier }),
      await create({ hierarchy_id: hierarchy }),
      await create({ service_type_id: type }),
      await create({ contents: [{ service_id: service, quantity: 1 }] }),
    ].map((purpose) => purpose.id);
    await create({ description: 'hay' });
    expect(ids(await list('?search=nEEdle&sort_by=id&sort_order=asc'))).toEqual(expected);
  });

  test('filters combine by AND, values of one filter by OR; each purpose counts once', async () => {
    const type = await insert('service_type', { name: unique('Type') });
    const services = [
      await insert('service', { name: unique('Service'), service_type_id: type }),
      await insert('service', { name: unique('Service'), service_type_id: type }),
    ];
    const both = await create({
      contents: services.map((service_id) => ({ service_id, quantity: 1 })),
      status: 'SIGNED',
    });
    const one = await create({ contents: [{ service_id: services[0], quantity: 1 }], is_flagged: true });
    await create();
    const query = services.map((service) => `service_id=${service}`).join('&');
    expect(await list(`?${query}`)).toMatchObject({ total: 2 });
    expect(ids(await list(`?${query}&status=SIGNED&status=COMPLETED`))).toEqual([both.id]);
    expect(ids(await list(`?${query}&is_flagged=1`))).toEqual([one.id]);
    expect((await list('?is_flagged=false')).total).toBe(2);
  });

  test('a node of the hierarchy stands for itself and all below, not for its namesakes', async () => {
    const name = unique('ZED');
    const root = await insert('hierarchy', { name, type: 'UNIT', path: name });
    const child = await insert('hierarchy', {
      name: 'c',
      type: 'TEAM',
      parent_id: root,
      path: `${name} / c`,
    });
    const neighbour = await insert('hierarchy', { name: `${name}EX`, type: 'UNIT', path: `${name}EX` });
    const inRoot = await create({ hierarchy_id: root });
    const inChild = await create({ hierarchy_id: child });
    await create({ hierarchy_id: neighbour });
    const found = (query: string) => list(`?sort_by=id&sort_order=asc&${query}`).then(ids);
    expect(await found(`hierarchy_id=${root}`)).toEqual([inRoot.id, inChild.id]);
    expect(await found(`hierarchy_id=${child}`)).toEqual([inChild.id]);
    expect(await found(`hierarchy_id=${child}&hierarchy_id=999999`)).toEqual([inChild.id]);
    expect(await found('hierarchy_id=999999')).toEqual([]);
  });

  test('days of the filter are days of the organisation', async () => {
    const { id } = await create();
    await app.db
      .updateTable('purpose')
      .set({ creation_time: '2026-03-01T23:30:00Z' })
      .where('id', '=', id)
      .execute();
    expect((await list('?start_date=2026-03-01&end_date=2026-03-01')).total).toBe(1);
    expect((await list('?start_date=2026-03-02')).total).toBe(0);
    expect((await list('?end_date=2026-02-28')).total).toBe(0);
  });

  test.each([
    'id',
    'creation_time',
    'last_modified',
    'expected_delivery',
    'description',
    'status',
    'comments',
    'hierarchy_id',
    'supplier_id',
    'service_type_id',
    'is_flagged',
    'current_status_changed_at',
    'days_since_last_completion',
    'supplier',
    'metadata',
    '__proto__',
    'constructor',
    'id; drop table purpose',
  ])('sort_by=%s pages through all purposes, none twice', async (sort) => {
    const made = [];
    for (let i = 0; i < 5; i += 1) {
      made.push((await create({ expected_delivery: i % 2 ? '2026-01-01' : null })).id);
    }
    for (const order of ['asc', 'desc']) {
      const seen = [];
      for (const page of [1, 2, 3]) {
        seen.push(
          ...ids(await list(`?sort_by=${encodeURIComponent(sort)}&sort_order=${order}&limit=2&page=${page}`)),
        );
      }
      expect(seen.toSorted((a, b) => a - b)).toEqual(made);
    }
  });

  test('empty dates come last ascending and first descending', async () => {
    const none = await create();
    const some = await create({ expected_delivery: '2026-01-01' });
    expect(ids(await list('?sort_by=expected_delivery&sort_order=asc'))).toEqual([some.id, none.id]);
    expect(ids(await list('?sort_by=expected_delivery&sort_order=desc'))).toEqual([none.id, some.id]);
  });

  test.each([
    'limit=0',
    'limit=201',
    'page=0',
    'page=x',
    'sort_order=up',
    'status=open',
    'start_date=31-12-2026',
    'is_flagged=maybe',
    'supplier_id=1,2',
    'hierarchy_id=99999999999999',
  ])('refuses %s', async (query) => {
    const response = await app.get(`/purposes?${query}`);
    expect(response.status).toBe(422);
    expect(JSON.stringify(response.json())).toContain(query.split('=')[0]);
  });

  test('needs credentials to read and the admin role to write', async () => {
    expect((await app.get('/purposes', { role: null })).status).toBe(401);
    expect((await app.get('/purposes', { role: 'user' })).status).toBe(200);
    expect((await app.post('/purposes', { status: 'nonsense' }, { role: 'user' })).status).toBe(403);
  });
});

describe('the export', () => {
  async function exported(query = '') {
    const response = await app.get(`/purposes/export_csv${query}`);
    expect(response.status).toBe(200);
    return { ...response, rows: response.text.split('\r\n') };
  }

  test('has 22 quoted columns and ends its rows with CR LF', async () => {
    const { id, creation_time, last_modified } = await create({
      description: 'say "hi"\nthere',
      comments: '=1+1',
    });
    const { headers, rows } = await exported();
    expect(headers['content-type']).toBe('text/csv; charset=utf-8');
    expect(headers['content-disposition']).toMatch(
      /^attachment; filename=purposes_export_\d\d-\d\d-\d{4}\.csv$/,
    );
    expect(rows[0]?.split(',')).toHaveLength(22);
    expect(rows[1]).toBe(
      `"${id}","say ""hi""\nthere","IN_PROGRESS","${creation_time}","${last_modified}","","'=1+1"${',""'.repeat(15)}`,
    );
    expect(rows[2]).toBe('');
  });

  test('takes the filters, the search and every sort of the list; formulas on request as they are', async () => {
    await create({ description: 'other' });
    const wanted = [await create({ description: '-needle' }), await create({ description: '-needle' })];
    const { rows } = await exported(
      '?search=needle&raw=true&sort_by=days_since_last_completion&page=7&limit=1',
    );
    expect(rows.slice(1, -1).map((row) => row.slice(0, row.indexOf(',"IN_PROGRESS"')))).toEqual(
      wanted.map(({ id }) => `"${id}","-needle"`).toSorted(),
    );
  });

  test('with a byte-order mark on request', async () => {
    expect((await exported('?bom=1')).text.startsWith('\ufeff"ID"')).toBe(true);
  });
});
