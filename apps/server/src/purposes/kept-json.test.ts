import * as contract from '@calculaud/contract/purposes';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { calendarDay, type RequestContext } from '../platform/context.ts';
import { type TestApp, testApp } from '../testing/app.ts';
import { KeptJson } from './kept-json.ts';
import { listPurposes } from './service.ts';

const links = { beforeId: 'http://host/files/', beforeSignature: '/content?expires=1&signature=' };
const now = { today: '2026-05-01', links };
const made = { state: '700.1', catalogueVersion: '5' };
const text = (letter: string, bytes = 100) => Buffer.alloc(bytes, letter);

describe('what is kept', () => {
  test('is found as long as everything is as it was', () => {
    const kept = new KeptJson();
    kept.set(1, made, now, text('a'));
    expect(kept.get(1, made, now)).toEqual(text('a'));
    expect(kept.get(2, made, now)).toBeUndefined();
    expect(kept.get(1, { ...made, state: '701.1' }, now)).toBeUndefined();
    expect(kept.get(1, { ...made, catalogueVersion: '6' }, now)).toBeUndefined();
    expect(kept.get(1, made, { ...now, today: '2026-05-02' })).toBeUndefined();
  });

  test('depends on the links when it has some', () => {
    const kept = new KeptJson();
    kept.set(1, made, now, text('a'));
    kept.set(2, made, now, Buffer.from(`"file_url":"http://host/files/1${links.beforeSignature}00"`));
    const later = { ...now, links: { ...links, beforeSignature: '/content?expires=2&signature=' } };
    const elsewhere = { ...now, links: { ...links, beforeId: 'http://other/files/' } };
    expect(kept.get(1, made, later)).toBeDefined();
    expect(kept.get(2, made, now)).toBeDefined();
    expect(kept.get(2, made, later)).toBeUndefined();
    expect(kept.get(2, made, elsewhere)).toBeUndefined();
  });

  test('makes room for what comes, first of all what was not used for the longest time', () => {
    const kept = new KeptJson(350);
    for (const id of [1, 2, 3]) kept.set(id, made, now, text('a'));
    kept.get(1, made, now);
    kept.set(4, made, now, text('b'));
    expect([1, 2, 3, 4].map((id) => kept.get(id, made, now) !== undefined)).toEqual([
      true,
      false,
      true,
      true,
    ]);
    kept.set(4, made, now, text('c', 300));
    expect(kept.get(4, made, now)).toEqual(text('c', 300));
    expect(kept.bytes).toBe(300);
    kept.set(5, made, now, text('d', 400));
    expect(kept.bytes).toBe(0);
  });
});

/**
 * An application that has answered before and keeps what it made, beside one that keeps nothing. Whatever is changed in
 * whatever table that a page shows, both must give the same answer.
 */
describe('a page of purposes', () => {
  let app: TestApp;
  let owner: pg.Client;
  beforeAll(async () => {
    app = await testApp();
    owner = new pg.Client({ connectionString: app.ownerUrl });
    await owner.connect();
    await owner.query(`
      insert into responsible_authority (id, name) values (900, 'Comptroller'), (901, 'Legal');
      insert into stage_type (id, name, display_name, responsible_authority_id)
        values (900, 'first', 'First', 900), (901, 'second', 'Second', 901);
      insert into predefined_flow (id, flow_name) values (900, 'FLOW'), (901, 'OTHER');
      insert into service_type (id, name) values (900, 'Hardware'), (901, 'Software');
      insert into service (id, name, service_type_id) values (900, 'Laptops', 900), (901, 'Docks', 900);
      insert into supplier (id, name) values (900, 'Supplier'), (901, 'Other');
      insert into budget_source (id, name) values (900, 'Budget'), (901, 'Reserve');
      insert into hierarchy (id, name, type, path) values (900, 'Unit', 'UNIT', 'Unit'), (901, 'Team', 'TEAM', 'Team');
      insert into file_attachment (id, original_filename, s3_key, mime_type, file_size)
        values (900, 'offer.pdf', 'files/offer.pdf', 'application/pdf', 1000),
          (901, 'other.pdf', 'files/other.pdf', 'application/pdf', 1000);
      insert into purpose (id, description, hierarchy_id, supplier_id, service_type_id)
        values (900, 'laptops', 900, 900, 900), (901, 'docks', 901, 901, 901);
      insert into purpose_content (id, purpose_id, service_id, quantity) values (900, 900, 900, 2);
      insert into purpose_file_attachment (purpose_id, file_attachment_id) values (900, 900);
      insert into purchase (id, purpose_id, predefined_flow_id, budget_source_id) values (900, 900, 900, 900);
      insert into cost (id, purchase_id, currency, amount) values (900, 900, 'ILS', 100);
      insert into stage (id, purchase_id, stage_type_id, priority) values (900, 900, 900, 1), (901, 900, 901, 2);
      update stage set completion_date = '2026-01-05' where id = 900`);
  });
  afterAll(async () => {
    await owner.end();
    await app.close();
  });

  const filters = { search_in: 'v1', sort_by: 'id', sort_order: 'asc' } as const;
  const path = `/purposes/?${new URLSearchParams(filters).toString()}`;

  async function fresh(): Promise<string> {
    const context: RequestContext = {
      principal: { id: 1, name: 'Tester', permits: () => true },
      requestId: 'test',
      today: calendarDay(new Date(), app.services.config.organisation.timeZone),
      baseUrl: 'http://localhost:80',
      ifMatch: undefined,
      log: app.app.log,
      signal: AbortSignal.timeout(60_000),
    };
    const query = { ...filters, page: 1 };
    return (await listPurposes(app.services, context, query, new KeptJson(0))).toString();
  }

  async function expectUpToDate(change: string): Promise<void> {
    const [kept, made] = [(await app.get(path)).text, await fresh()];
    expect({ change, isUpToDate: kept === made }).toEqual({ change, isUpToDate: true });
  }

  /** An SQL expression of another value, by the type of the column. */
  const another: Readonly<Record<string, (column: string) => string>> = {
    text: (column) => `coalesce(${column}, '') || 'x'`,
    'character varying': (column) => `coalesce(${column}, '') || 'x'`,
    integer: (column) => `coalesce(${column}, 0) + 1`,
    bigint: (column) => `coalesce(${column}, 0) + 1`,
    numeric: (column) => `coalesce(${column}, 0) + 1`,
    boolean: (column) => `not coalesce(${column}, false)`,
    date: (column) => `coalesce(${column}, '2026-01-01') + 1`,
    'timestamp with time zone': (column) => `coalesce(${column}, '2026-01-01') + interval '1 day'`,
  };
  /** Of columns that do not take any value of their type. */
  const accepted: Readonly<Record<string, string>> = {
    'purpose.status': `'COMPLETED'`,
    'purpose.pending_authority_id': '901',
    'purchase.purpose_id': '901',
    'purpose_content.purpose_id': '901',
    'purpose_file_attachment.purpose_id': '901',
    'purpose_file_attachment.file_attachment_id': '901',
    'stage.purchase_id': '900',
    'stage.stage_type_id': '901',
    'cost.currency': `'SUPPORT_USD'`,
    'cost.purchase_id': '900',
    'hierarchy.type': `'CENTER'`,
    'hierarchy.parent_id': 'case when id = 901 then 900 end',
    'purpose.hierarchy_id': '901',
    'purpose.supplier_id': '901',
    'purpose.service_type_id': '901',
    'stage_type.responsible_authority_id': '901',
  };
  /** Written by triggers alone, after an edit that touches the purpose or the catalogue (0004_derived_columns.sql). */
  const derived: ReadonlySet<string> = new Set([
    'purchase.current_priority',
    'purchase.pending_authority_id',
    'purchase.waiting_since',
    'stage.previous_completion_date',
  ]);
  const tables = [
    'purpose',
    'purpose_content',
    'purpose_file_attachment',
    'file_attachment',
    'purchase',
    'cost',
    'stage',
    'supplier',
    'service_type',
    'service',
    'hierarchy',
    'responsible_authority',
    'stage_type',
    'budget_source',
  ];

  test('knows of every change of every column', async () => {
    const { rows: columns } = await owner.query<{
      table_name: string;
      column_name: string;
      data_type: string;
    }>(
      `select table_name, column_name, data_type from information_schema.columns
       where table_schema = 'public' and table_name = any($1) and column_name <> 'id' and is_generated = 'NEVER'
       order by table_name, ordinal_position`,
      [tables],
    );
    expect(new Set(columns.map((column) => column.table_name))).toEqual(new Set(tables));
    await app.get(path);
    const refused: string[] = [];
    let changed = 0;
    for (const { table_name: table, column_name: column, data_type: type } of columns) {
      if (derived.has(`${table}.${column}`)) continue;
      const value = accepted[`${table}.${column}`] ?? another[type]?.(column);
      const key = table === 'purpose_file_attachment' ? 'purpose_id' : 'id';
      if (value === undefined) {
        refused.push(`${table}.${column}`);
        continue;
      }
      const before = (await app.get(path)).text;
      try {
        await owner.query(`update ${table} set ${column} = ${value} where ${key} >= 900`);
      } catch (error) {
        if (!(error instanceof pg.DatabaseError)) throw error;
        refused.push(`${table}.${column}`);
        continue;
      }
      await expectUpToDate(`${table}.${column}`);
      if ((await app.get(path)).text !== before) changed += 1;
    }
    // The others are what people do not see.
    expect(changed).toBeGreaterThan(60);
    // A constraint wants a time beside the one, and nobody shows the icon on a page.
    expect(refused).toEqual(['purpose.auto_flag_reason', 'supplier.file_icon_id']);
  });

  test.each(tables.toReversed())('knows of a record of %s that is gone', async (table) => {
    await app.get(path);
    const key = table === 'purpose_file_attachment' ? 'file_attachment_id' : 'id';
    await owner.query(`delete from ${table} where ${key} = 901`).catch((error: unknown) => {
      // Still used.
      if (!(error instanceof pg.DatabaseError && ['23503', '23001'].includes(error.code ?? ''))) throw error;
    });
    await expectUpToDate(`delete from ${table}`);
  });

  test.each([
    ['purpose', `(id, description) values (950, 'new')`],
    ['purpose_file_attachment', '(purpose_id, file_attachment_id) values (950, 900)'],
    ['purpose_content', '(purpose_id, service_id, quantity) values (950, 900, 2)'],
    ['purchase', '(id, purpose_id) values (950, 950)'],
    ['cost', `(purchase_id, currency, amount) values (950, 'ILS', 5)`],
    ['stage', '(purchase_id, stage_type_id, priority) values (950, 900, 1)'],
  ])('knows of a new record of %s', async (table, values) => {
    const before = (await app.get(path)).text;
    await owner.query(`insert into ${table} ${values}`);
    await expectUpToDate(`insert into ${table}`);
    expect((await app.get(path)).text).not.toBe(before);
  });

  test('asks only for what is new since the last time', async () => {
    await app.get(path);
    const sent = vi.spyOn(pg.Client.prototype, 'query');
    await app.get(path);
    expect(sent).toHaveBeenCalledTimes(1);
    await app.patch('/purposes/900', { description: 'other' });
    sent.mockClear();
    const { items } = (await app.get(path)).as(contract.listPurposes);
    expect(items.map(({ description }) => description)).toContain('other');
    const query = z.object({ values: z.array(z.unknown()) });
    const [find, make] = sent.mock.calls.map(([given]) => query.parse(given).values);
    sent.mockRestore();
    expect(find).toEqual([]);
    expect(make).toContainEqual([900]);
  });
});
