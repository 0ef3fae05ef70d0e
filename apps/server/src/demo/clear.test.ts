import pg from 'pg';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { transaction } from '@calculaud/db/transaction';
import { followConfiguredRate } from '../currencies/service.ts';
import { systemPrincipal } from '../identity/service.ts';
import { type TestApp, type TestResponse, testApp } from '../testing/app.ts';
import { addDemo, clearDemo, type Clearing, planClearing } from './service.ts';

// Each test adds the whole demonstration and removes it again.
vi.setConfig({ testTimeout: 60_000 });

let app: TestApp;
let owner: pg.Client;
beforeAll(async () => {
  app = await testApp();
  owner = new pg.Client({ connectionString: app.ownerUrl });
  await owner.connect();
  await followConfiguredRate(app.services);
});
afterAll(async () => {
  await owner.end();
  await app.close();
});

async function rows<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
  return (await owner.query<Row>(text, [...values])).rows;
}

async function one<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row> {
  const [row] = await rows<Row>(text, values);
  if (!row) throw new Error(`no row: ${text}`);
  return row;
}

/** The content of all tables, but for what has to remain of a demonstration. */
async function contents(): Promise<Record<string, string | null>> {
  const remains = [
    // Who did what, and by whom that is told.
    'audit_entry',
    'principal',
    'demonstration',
    // What the sweep has still to do.
    'object_removal',
    // Tallies, which keep rows that come to nothing.
    'purpose_count',
    'catalogue_version',
    'analytics_stage_days',
  ];
  const tables = await rows<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
     and relname <> all($1) order by relname`,
    [remains],
  );
  const found: Record<string, string | null> = {};
  for (const { name } of tables) {
    const { content } = await one<{ content: string | null }>(
      `select string_agg(t::text, chr(10) order by t::text) as content from ${name} t`,
    );
    found[name] = content;
  }
  return found;
}

async function idOf(sent: Promise<TestResponse>): Promise<number> {
  const response = await sent;
  const { status } = response;
  const body = response.json();
  if (status >= 300 || typeof body !== 'object' || body === null || !('id' in body)) {
    throw new Error(`${status}: ${JSON.stringify(body)}`);
  }
  return Number(body.id);
}

/** Purposes of the demonstration, so many from the last one on. */
async function purposes(count: number, condition = 'true'): Promise<number[]> {
  const found = await rows<{ id: number }>(
    `select id from purpose o where ${condition} order by id desc limit ${count}`,
  );
  return found.map(({ id }) => id);
}

function kept({ kept: list }: Clearing, entity: string): Record<number, string> {
  return Object.fromEntries(
    list.filter((row) => row.entity === entity).map(({ id, reason }) => [id, reason]),
  );
}

const nothing = {
  purpose: 0,
  file: 0,
  supplier: 0,
  service: 0,
  service_type: 0,
  hierarchy: 0,
  stage_type: 0,
};

let before: Record<string, string | null>;
beforeEach(async () => {
  before = await contents();
  await addDemo(app.services, new Date());
}, 60_000);

test('everything goes, and everything else is as it was', async () => {
  const keys = await rows<{ s3_key: string }>('select s3_key from file_attachment order by 1');
  const { audited } = await one<{ audited: number }>('select count(*)::int as audited from audit_entry');
  const plan = await planClearing(app.db);
  expect(plan).toMatchObject({
    going: {
      purpose: 300,
      file: keys.length,
      supplier: 20,
      service: 35,
      service_type: 7,
      hierarchy: 25,
      stage_type: 1,
    },
    kept: [],
  });
  expect(await clearDemo(app.db)).toEqual(plan);
  expect(await contents()).toEqual(before);

  const due = await rows('select s3_key from object_removal where due_at <= now() order by 1');
  expect(due).toEqual(keys);
  const after = await one<{ audited: number }>('select count(*)::int as audited from audit_entry');
  expect(after.audited).toBeGreaterThan(audited + 300);

  expect(await clearDemo(app.db)).toEqual({ going: nothing, kept: [] });
  expect(await contents()).toEqual(before);
});

test('purposes that people added something to are kept whole', async () => {
  const [bought = 0, priced = 0, stepped = 0, filled = 0, attached = 0] = await purposes(
    5,
    'exists (select from purchase where purpose_id = o.id)',
  );
  const ordered = async (purpose: number): Promise<number> =>
    (await one<{ id: number }>('select id from purchase where purpose_id = $1 limit 1', [purpose])).id;
  await idOf(
    app.post('/purchases', { purpose_id: bought, costs: [{ currency: 'ILS', amount: 5 }], contents: [] }),
  );
  const { status } = await app.put(`/purchases/${await ordered(priced)}/costs`, {
    costs: [{ currency: 'ILS', amount: 7 }],
  });
  expect(status).toBe(200);
  const steps = await app.patch(`/purchases/${await ordered(stepped)}`, { stages: [{ custom_name: 'x' }] });
  expect(steps.status).toBe(200);
  const { service } = await one<{ service: number }>(
    `select s.id as service from service s join purpose o using (service_type_id)
     where o.id = $1 and s.id not in (select service_id from purpose_content where purpose_id = $1) limit 1`,
    [filled],
  );
  await app.patch(`/purposes/${filled}`, { contents: [{ service_id: service, quantity: 3 }] });
  const form = [
    '--x',
    'content-disposition: form-data; name="file"; filename="ours.txt"',
    'content-type: text/plain',
    '',
    'ours',
    '--x--',
    '',
  ].join('\r\n');
  const upload = await app.post(`/purposes/${attached}/files`, form, {
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  });
  expect(upload.status).toBe(201);
  const { stages } = await one<{ stages: number }>(
    'select count(*)::int as stages from purchase p join stage s on s.purchase_id = p.id where p.purpose_id = $1',
    [bought],
  );
  const cleared = await clearDemo(app.db);
  expect(kept(cleared, 'purpose')).toEqual({
    [bought]: expect.stringMatching(/^somebody added 1 cost and 1 purchase and \d+ stages to it$/),
    [priced]: 'somebody added 1 cost to it',
    [stepped]: 'somebody added 1 stage to it',
    [filled]: 'somebody added 1 content to it',
    [attached]: 'somebody added 1 file to it',
  });
  expect(await rows('select id from purpose order by id')).toEqual(
    [attached, filled, stepped, priced, bought].map((id) => ({ id })),
  );
  const after = await one<{ stages: number }>(
    'select count(*)::int as stages from purchase p join stage s on s.purchase_id = p.id where p.purpose_id = $1',
    [bought],
  );
  expect(after).toEqual({ stages });
  expect(Object.values(kept(cleared, 'service_type'))).not.toEqual([]);
  expect(Object.values(kept(cleared, 'hierarchy'))).not.toEqual([]);

  // Once the people are done with them, the rest goes, too.
  for (const id of [attached, filled, stepped, priced, bought]) await app.delete(`/purposes/${id}`);
  expect((await clearDemo(app.db)).kept).toEqual([]);
  await app.delete(`/files/${await idOf(Promise.resolve(upload))}`);
  expect(await contents()).toEqual(before);
});

describe('purposes that people edited', () => {
  /** What one person does to one purpose of the demonstration. */
  const edits: readonly (readonly [string, (purpose: number) => Promise<TestResponse>])[] = [
    ['itself', (id) => app.patch(`/purposes/${id}`, { comments: 'Ours' })],
    [
      'its purchases',
      async (id) => app.patch(`/purchases/${await purchaseOf(id)}`, { budget_source_id: null }),
    ],
    ['its stages', async (id) => app.patch(`/stages/${await stageOf(id)}`, { note: 'Ours' })],
    ['what it contained', (id) => app.patch(`/purposes/${id}`, { contents: [] })],
    ['what it was bought by', async (id) => app.delete(`/purchases/${await purchaseOf(id)}`)],
    ['the steps to it', async (id) => app.patch(`/purchases/${await purchaseOf(id)}`, { stages: [] })],
  ];
  const purchaseOf = async (purpose: number): Promise<number> =>
    (
      await one<{ id: number }>(
        'select id from purchase where purpose_id = $1 and budget_source_id is not null limit 1',
        [purpose],
      )
    ).id;
  const stageOf = async (purpose: number): Promise<number> =>
    (
      await one<{ id: number }>(
        'select s.id from stage s join purchase p on p.id = s.purchase_id where p.purpose_id = $1 limit 1',
        [purpose],
      )
    ).id;

  test('are kept, also after the system touched them, unless they are to go, too', async () => {
    const edited = await purposes(
      edits.length,
      `exists (select from purpose_content where purpose_id = o.id) and exists (
         select from purchase p join stage s on s.purchase_id = p.id
         where p.purpose_id = o.id and p.budget_source_id is not null)`,
    );
    for (const [index, [what, edit]] of edits.entries()) {
      const { status, text } = await edit(edited[index] ?? 0);
      expect(status, `${what}: ${text}`).toBeLessThan(300);
    }
    // As the job does; these are not edits of people.
    const job = await systemPrincipal(app.db, 'auto-flag', 'Auto-flag');
    await transaction(app.db, { principalId: job, requestId: null }, (tx) =>
      sql`update purpose set is_flagged = not is_flagged`.execute(tx),
    );

    const cleared = await clearDemo(app.db);
    const reasons = Object.fromEntries(edited.map((id) => [id, 'somebody edited it']));
    expect(kept(cleared, 'purpose')).toEqual(reasons);
    expect(cleared.going.purpose).toBe(300 - edited.length);

    expect(await planClearing(app.db, { edited: true })).toMatchObject({
      going: { purpose: edited.length },
      kept: [],
    });
    await clearDemo(app.db, { edited: true });
    expect(await contents()).toEqual(before);
  });

  test('and added something to do not go with the edited ones', async () => {
    const [purpose = 0] = await purposes(1);
    await app.patch(`/purposes/${purpose}`, { comments: 'Ours' });
    await idOf(app.post('/purchases', { purpose_id: purpose, costs: [] }));
    const cleared = await clearDemo(app.db, { edited: true });
    expect(kept(cleared, 'purpose')).toEqual({ [purpose]: 'somebody added 1 purchase to it' });
    await app.delete(`/purposes/${purpose}`);
    await clearDemo(app.db);
  });
});

test('what real records use is kept, and what that needs', async () => {
  const find = async (table: string, name: string): Promise<number> =>
    (await one<{ id: number }>(`select id from ${table} where name = $1`, [name])).id;
  const supplier = await find('supplier', 'SUSE');
  const withIcon = await find('supplier', 'Red Hat');
  const type = await find('service_type', 'Network Services');
  const typeOfOurs = await find('service_type', 'Storage Solutions');
  const typeOfRule = await find('service_type', 'Cloud Infrastructure');
  const service = await find('service', 'VPN Setup');
  const team = await find('hierarchy', 'Micky');
  const { file } = await one<{ file: number }>('select min(id) as file from file_attachment');

  const purpose = await idOf(
    app.post('/purposes', {
      supplier_id: supplier,
      hierarchy_id: team,
      service_type_id: type,
      contents: [{ service_id: service, quantity: 1 }],
      file_attachment_ids: [file],
    }),
  );
  await idOf(app.post('/services', { name: 'Ours', service_type_id: typeOfOurs }));
  const node = await idOf(
    app.post('/hierarchies', {
      type: 'TEAM',
      name: 'Ours',
      parent_id: await find('hierarchy', 'Human Resources'),
    }),
  );
  const { icon } = await one<{ icon: number }>('select max(id) as icon from file_attachment');
  await app.patch(`/suppliers/${withIcon}`, { file_icon_id: icon });
  await idOf(
    app.post('/flow-rules', {
      name: 'Ours',
      conditions: { service_type_ids: [typeOfRule], hierarchy_ids: [await find('hierarchy', 'YoYo')] },
      flow_name: null,
    }),
  );

  const plan = await planClearing(app.db);
  const cleared = await clearDemo(app.db);
  expect(cleared).toEqual(plan);
  expect(cleared.going.purpose).toBe(300);
  expect(kept(cleared, 'purpose')).toEqual({});
  expect(kept(cleared, 'supplier')).toEqual({
    [supplier]: 'it is used by 1 purpose',
    [withIcon]: 'somebody gave it an icon',
  });
  expect(kept(cleared, 'file')).toEqual({
    [file]: 'it is used by 1 purpose',
    [icon]: 'it is used by 1 supplier',
  });
  expect(kept(cleared, 'service')).toEqual({ [service]: 'it is used by 1 purpose' });
  expect(kept(cleared, 'service_type')).toEqual({
    [type]: 'it is used by 1 purpose and 1 service',
    [typeOfOurs]: 'it is used by 1 service',
    [typeOfRule]: 'it is used by 1 flow rule',
  });
  const tree = await rows<{ path: string }>('select path from hierarchy order by path');
  expect(tree.map(({ path }) => path)).toEqual([
    '8000',
    '8000 / 7100',
    '8000 / 7100 / 810',
    '8000 / 7100 / 810 / 811',
    '8000 / 7100 / 810 / 811 / YoYo',
    '8000 / Human Resources',
    '8000 / Human Resources / Ours',
    '9900',
    '9900 / 9910',
    '9900 / 9910 / 450',
    '9900 / 9910 / 450 / 451',
    '9900 / 9910 / 450 / 451 / Micky',
  ]);
  expect(kept(cleared, 'hierarchy')[team]).toBe('it is used by 1 purpose');
  expect((await app.get(`/purposes/${purpose}`)).status).toBe(200);

  await app.delete(`/purposes/${purpose}`);
  await app.delete(`/hierarchies/${node}`);
  await app.delete(`/services/${await find('service', 'Ours')}`);
  await app.patch(`/suppliers/${withIcon}`, { file_icon_id: null });
  await rows("delete from flow_rule where name = 'Ours'");
  expect((await clearDemo(app.db)).kept).toEqual([]);
  expect(await contents()).toEqual(before);
});

test('who is adding something at that moment is waited for', async () => {
  const [purpose = 0] = await purposes(1);
  const writer = new pg.Client({ connectionString: app.ownerUrl });
  await writer.connect();
  try {
    await writer.query('begin');
    await writer.query('select from purpose where id = $1 for no key update', [purpose]);
    await writer.query('insert into purchase (purpose_id) values ($1)', [purpose]);
    const clearing = clearDemo(app.db);
    const { rows: self } = await writer.query<{ pid: number }>('select pg_backend_pid() as pid');
    const waiting = 'select from pg_stat_activity where $1 = any(pg_blocking_pids(pid))';
    while ((await rows(waiting, [self[0]?.pid])).length === 0) await new Promise(setImmediate);
    await writer.query('commit');
    expect(kept(await clearing, 'purpose')).toEqual({ [purpose]: 'somebody added 1 purchase to it' });
  } finally {
    await writer.end();
  }
  await app.delete(`/purposes/${purpose}`);
  await clearDemo(app.db);
  expect(await contents()).toEqual(before);
});

test('what exists under the same names is used, and stays whose it is', async () => {
  await clearDemo(app.db);
  const supplier = await idOf(app.post('/suppliers', { name: 'SUSE' }));
  const type = await idOf(app.post('/service-types', { name: 'Network Services' }));
  const service = await idOf(app.post('/services', { name: 'VPN Setup', service_type_id: type }));
  const root = await idOf(app.post('/hierarchies', { type: 'UNIT', name: '8000' }));
  const ours = await contents();

  await addDemo(app.services, new Date());
  expect(await rows("select id from supplier where name = 'SUSE'")).toEqual([{ id: supplier }]);
  expect(await rows("select parent_id from hierarchy where name = '7100'")).toEqual([{ parent_id: root }]);
  expect(await rows('select from purpose where service_type_id = $1', [type])).not.toEqual([]);
  expect(await rows('select from purpose_content where service_id = $1', [service])).not.toEqual([]);
  expect((await clearDemo(app.db)).kept).toEqual([]);
  expect(await contents()).toEqual(ours);
});
