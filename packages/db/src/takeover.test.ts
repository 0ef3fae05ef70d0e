import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { createPredecessorTables, fillPredecessor } from '@calculaud/testing/predecessor';
import { describeSchema } from '@calculaud/testing/schema';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { migrate, migrationStatus } from './migrate.ts';
import { aloneOnDatabase } from './migration-session.ts';
import { assertSchemaFits } from './schema-fit.ts';
import { applyTakeover, planTakeover, type TakeoverOptions, type TakeoverResult } from './takeover.ts';
import { inspect } from './takeover/inspection.ts';
import { findProblems } from './takeover/problems.ts';

const ZONE = 'Asia/Jerusalem';
const NOT_OURS = ['audit_of_somebody', 'predecessor_alembic_version'];

async function predecessor(): Promise<TestDatabase> {
  const database = await createTestDatabase({ empty: true });
  await createPredecessorTables(database.pool);
  await fillPredecessor(database.pool);
  return database;
}

const folders: string[] = [];
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'calculaud-takeover-'));
  folders.push(path);
  return path;
}
afterAll(() => Promise.all(folders.map((path) => rm(path, { recursive: true }))));

async function takeOver(
  database: TestDatabase,
  options: Partial<TakeoverOptions> = {},
): Promise<TakeoverResult> {
  return applyTakeover({
    connectionString: database.url('owner'),
    copyTo: await folder(),
    legacyTimeZone: ZONE,
    ignoreConnections: true,
    appliedBy: '1.2.3',
    ...options,
  });
}

type Row = Record<string, unknown>;

async function rows({ pool }: { pool: Pick<pg.ClientBase, 'query'> }, query: string): Promise<Row[]> {
  return (await pool.query<Row>(query)).rows;
}

/** Work on one connection whose changes are undone. */
async function undone(url: string, work: (connection: { pool: pg.Client }) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('begin');
    await work({ pool: client });
  } finally {
    await client.end();
  }
}

/** Every row of every table, in order. */
async function contents(database: TestDatabase): Promise<unknown> {
  const tables = await rows(
    database,
    "select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1",
  );
  const all: unknown[] = [];
  for (const { name } of tables) {
    all.push(name, await rows(database, `select t::text as row from "${String(name)}" t order by t::text`));
  }
  return [
    all,
    await rows(database, "select * from pg_sequences where schemaname = 'public' order by sequencename"),
  ];
}

async function everything(database: TestDatabase): Promise<unknown> {
  return [await describeSchema(database.pool), await contents(database)];
}

describe('a database that was taken over', () => {
  let database: TestDatabase;
  let before: Record<string, Row[]>;
  let result: TakeoverResult;
  const log: string[] = [];

  /** Of each table all columns of the predecessor; amounts as doubles, times as they stood on the wall. */
  const OLD_ROWS = {
    hierarchy: 'id, parent_id, type::text, name',
    file_attachment: 'id, original_filename, s3_key, mime_type, file_size, TIME(uploaded_at)',
    supplier: 'id, name, file_icon_id',
    service_type: 'id, name',
    service: 'id, name, service_type_id',
    budget_source: 'id, name',
    responsible_authority: 'id, name, description, TIME(created_at)',
    stage_type:
      'id, name, display_name, description, value_required, is_optional, responsible_authority_id, TIME(created_at)',
    predefined_flow: 'id, flow_name, TIME(created_at)',
    predefined_flow_stage: 'id, predefined_flow_id, stage_type_id, priority',
    purpose: `id, description, TIME(creation_time), status::text, comments, TIME(last_modified), expected_delivery::text,
      hierarchy_id, supplier_id, service_type_id, is_flagged`,
    purpose_content: 'id, purpose_id, service_id, quantity',
    purpose_status_history:
      'id, purpose_id, previous_status::text, new_status::text, TIME(changed_at), changed_by',
    purchase: 'id, purpose_id, predefined_flow_id, budget_source_id, TIME(creation_date)',
    cost: 'id, purchase_id, currency::text, float8send(amount::float8 + 0) as bits',
    stage: 'id, stage_type_id, purchase_id, priority, value, completion_date::text, note, custom_name',
    purpose_file_attachment: 'purpose_id, file_attachment_id',
    audit_of_somebody: 'id, purpose_id, was::text, amount::text',
  };

  async function oldRows(time: string): Promise<typeof before> {
    const found: typeof before = {};
    for (const [table, columns] of Object.entries(OLD_ROWS)) {
      const selected = columns.replaceAll(/TIME\((\w+)\)/g, `(${time})::text as $1`.replaceAll('TIME', '$1'));
      found[table] = await rows(database, `select ${selected} from ${table} order by 1, 2`);
    }
    return found;
  }

  beforeAll(async () => {
    database = await predecessor();
    before = await oldRows('TIME');
    result = await takeOver(database, { log: (line) => log.push(line) });
  });
  afterAll(() => database.drop());

  test('has the schema of a fresh installation', async () => {
    const fresh = await createTestDatabase();
    try {
      expect(await describeSchema(database.pool, NOT_OURS)).toEqual(await describeSchema(fresh.pool));
    } finally {
      await fresh.drop();
    }
  });

  test('keeps every row, id, text, amount to the last bit, and time', async () => {
    const never = (row: Row): Row =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [
          name,
          // The clock of Israel was put forward from two to three o'clock on this day.
          value === '2023-03-24 02:30:00' ? '2023-03-24 03:30:00' : value,
        ]),
      );
    const expected = Object.fromEntries(
      Object.entries(before).map(([table, all]) => [table, all.map(never)]),
    );
    expect(await oldRows(`TIME at time zone '${ZONE}'`)).toEqual(expected);
  });

  test('has amounts as the shortest decimals that mean the same double', async () => {
    expect(await rows(database, 'select id, amount::text from cost where id <> 4 order by id')).toEqual([
      { id: 1, amount: '0.30000000000000004' },
      { id: 2, amount: '123456789012345.67' },
      { id: 3, amount: '0' },
      { id: 5, amount: '399999.99999999994' },
      { id: 6, amount: '0' },
      { id: 7, amount: '999999999999999.9' },
    ]);
    expect(await rows(database, 'select amount = 1e-300 as exact from cost where id = 4')).toEqual([
      { exact: true },
    ]);
  });

  test('has times as instants, also around the days when the clock is changed', async () => {
    expect(
      await rows(database, 'select id, creation_time, last_modified from purpose order by id'),
    ).toMatchObject([
      {
        id: 1,
        creation_time: new Date('2023-03-23T23:59:59.999Z'),
        // Shown twice: read as the second.
        last_modified: new Date('2023-10-28T23:30:00Z'),
      },
      // Never shown: moves forward.
      {
        id: 2,
        creation_time: new Date('2023-03-24T00:30:00Z'),
        last_modified: new Date('2023-10-28T21:30:00Z'),
      },
      { id: 3 },
      { id: 4, creation_time: new Date('1999-12-31T20:00:00Z') },
      { id: 900 },
    ]);
    expect(
      await rows(database, 'select changed_at::text as at from purpose_status_history where id = 5'),
    ).toEqual([{ at: '2023-05-03 07:00:00.000001+00' }]);
  });

  test('goes on with ids that nobody ever had', async () => {
    await undone(database.url('owner'), async (connection) => {
      const next = async (table: string, values: string): Promise<unknown> =>
        (await rows(connection, `insert into ${table} ${values} returning id`))[0]?.['id'];
      expect(await next('hierarchy', "(type, name) values ('TEAM', 'new')")).toBe(32);
      expect(await next('supplier', "(name) values ('new')")).toBe(3);
      expect(
        await next(
          'file_attachment',
          "(original_filename, s3_key, mime_type, file_size) values ('n', 'n', 'n', 1)",
        ),
      ).toBe(3);
      expect(await next('purpose', 'default values')).toBe(901);
      expect(await next('purchase', '(purpose_id) values (901)')).toBe(5);
      // The sequence had gone further than the highest id.
      expect(await next('cost', "(purchase_id, currency, amount) values (5, 'ILS', 1)")).toBe(5001);
      expect(await next('stage', '(purchase_id, stage_type_id, priority) values (5, 6, 1)')).toBe(9);
    });
  });

  test('has what follows from its rows, as the triggers would have written it', async () => {
    expect(
      await rows(
        database,
        `select id, pending_authority_id as authority, waiting_since::text as since, version, created_by,
           current_status_changed_at as changed from purpose order by id`,
      ),
    ).toEqual([
      {
        id: 1,
        authority: 7,
        since: '2023-04-10',
        version: 1,
        created_by: null,
        changed: new Date('2023-03-23T23:59:59.999Z'),
      },
      // The second time that it was completed.
      {
        id: 2,
        authority: 2,
        since: '2023-04-11',
        version: 1,
        created_by: null,
        changed: new Date('2023-05-03T07:00:00.000Z'),
      },
      // Without history, and with a history that does not tell.
      { id: 3, authority: 7, since: null, version: 1, created_by: null, changed: null },
      { id: 4, authority: null, since: null, version: 1, created_by: null, changed: null },
      { id: 900, authority: null, since: null, version: 1, created_by: null, changed: null },
    ]);
    expect(
      await rows(
        database,
        `select id, current_priority as level, waiting_since::text as since, pending_authority_id as authority, version
         from purchase order by id`,
      ),
    ).toEqual([
      { id: 1, level: 2, since: '2023-04-10', authority: 7, version: 1 },
      { id: 2, level: null, since: null, authority: null, version: 1 },
      { id: 3, level: 4, since: '2023-04-11', authority: 2, version: 1 },
      { id: 4, level: 5, since: null, authority: 7, version: 1 },
    ]);
    expect(
      await rows(
        database,
        `select id, previous_completion_date::text as previous, ready_at as ready, done_at, version from stage order by id`,
      ),
    ).toEqual([
      { id: 1, previous: null, ready: null, done_at: null, version: 1 },
      { id: 2, previous: '2023-04-10', ready: null, done_at: null, version: 1 },
      { id: 3, previous: '2023-04-10', ready: new Date('2023-04-10T00:00:00Z'), done_at: null, version: 1 },
      { id: 4, previous: '2023-04-20', ready: null, done_at: null, version: 1 },
      { id: 5, previous: null, ready: null, done_at: null, version: 1 },
      { id: 6, previous: null, ready: null, done_at: null, version: 1 },
      { id: 7, previous: '2023-04-11', ready: new Date('2023-04-11T00:00:00Z'), done_at: null, version: 1 },
      { id: 8, previous: null, ready: new Date('2023-10-28T23:00:00Z'), done_at: null, version: 1 },
    ]);
    expect(await rows(database, 'select id, path from hierarchy order by id')).toEqual([
      { id: 1, path: '8000' },
      { id: 2, path: '8000 / 7100' },
      { id: 26, path: '8000 / 7100 / Daddy' },
      { id: 30, path: '7100' },
      { id: 31, path: '7100 / ZED' },
    ]);
    expect(log.filter((line) => line.includes('paths'))).toEqual([
      expect.stringContaining('2 nodes of the organisation anew, which were out of date: 26, 31.'),
    ]);
  });

  test('says nothing of itself in the audit trail and the history of statuses', async () => {
    expect(await rows(database, 'select entity from audit_entry')).toEqual([]);
    expect(await rows(database, 'select count(*)::int as changes from purpose_status_history')).toEqual([
      { changes: 6 },
    ]);
  });

  test('is worked on by the application', async () => {
    await undone(database.url('app'), async (connection) => {
      await connection.pool.query(`
        update stage set completion_date = '2023-06-01' where id = 3;
        update purpose set description = description || '!' where id = 1`);
      expect(
        await rows(connection, 'select current_priority as level, version from purchase where id = 1'),
      ).toEqual([{ level: 3, version: 2 }]);
      expect(await rows(connection, 'select action, entity, entity_id from audit_entry order by id')).toEqual(
        [
          { action: 'update', entity: 'stage', entity_id: 3 },
          { action: 'update', entity: 'purpose', entity_id: 1 },
        ],
      );
      await connection.pool.query('delete from purpose where id = 1');
    });
    await assertSchemaFits(database.url('app'));
  });

  test("leaves tables that are not the predecessor's alone, with their foreign keys and types", async () => {
    expect(
      await rows(
        database,
        `select conname, pg_get_constraintdef(oid) as definition, confrelid = 'purpose'::regclass as ours
         from pg_constraint where conrelid = 'audit_of_somebody'::regclass and contype = 'f'`,
      ),
    ).toEqual([
      {
        conname: 'audit_of_somebody_purpose_id_fkey',
        definition: 'FOREIGN KEY (purpose_id) REFERENCES purpose(id) ON DELETE CASCADE',
        ours: true,
      },
    ]);
    expect(
      await rows(database, 'select pg_typeof(was)::text as type from audit_of_somebody limit 1'),
    ).toEqual([{ type: 'statusenum' }]);
    await undone(database.url('app'), async ({ pool }) => {
      await expect(pool.query('select from audit_of_somebody')).rejects.toMatchObject({ code: '42501' });
    });
  });

  test('keeps the ledger of the predecessor under another name, and remembers the takeover in its own', async () => {
    expect(await rows(database, 'select * from predecessor_alembic_version')).toEqual([
      { version_num: '7c1f09ab34de' },
    ]);
    expect(await rows(database, 'select name, app_version from schema_migration where number = 0')).toEqual([
      { name: 'takeover of 7c1f09ab34de, times read in Asia/Jerusalem', app_version: '1.2.3' },
    ]);
  });

  test('is migrated like any other, gets no reference data, and is not taken over twice', async () => {
    expect(await migrate({ connectionString: database.url('owner') })).toEqual({ applied: [], left: [] });
    expect(await migrationStatus({ connectionString: database.url('owner') })).toMatchObject({
      state: 'ours',
      pending: [],
      changed: [],
    });
    expect(await rows(database, 'select count(*)::int as types from stage_type')).toEqual([{ types: 5 }]);
    await expect(takeOver(database)).rejects.toThrow('taken over already');
    await expect(planTakeover(database.url('owner'))).rejects.toThrow('taken over already');
  });

  test('was copied before: restore.sql makes the old database again from the files', async () => {
    expect(result).toMatchObject({ outcome: 'done', copy: expect.any(String) });
    const copy = result.outcome === 'done' ? result.copy : '';
    const original = await predecessor();
    const restored = await createTestDatabase({ empty: true });
    try {
      await restore(restored, copy);
      expect(await contents(restored)).toEqual(await contents(original));
      const [now, then] = [await describeSchema(restored.pool), await describeSchema(original.pool)];
      expect({ ...now, columns: withoutNumbers(now) }).toEqual({ ...then, columns: withoutNumbers(then) });
    } finally {
      await restored.drop();
      await original.drop();
    }
    const files = (await readdir(copy)).filter((name) => name.endsWith('.copy'));
    expect(JSON.parse(await readFile(join(copy, 'manifest.json'), 'utf8'))).toMatchObject({
      format: 1,
      predecessor_version: '7c1f09ab34de',
      tables: expect.arrayContaining([
        {
          table: 'purpose',
          file: 'purpose.copy',
          rows: 5,
          bytes: expect.any(Number),
          sha256: expect.any(String),
        },
      ]),
    });
    expect(files).toHaveLength(19);
  });
});

describe('rows that break a rule', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await predecessor();
    await database.pool.query(LOOSE);
    await database.pool.query(BROKEN);
  });
  afterAll(() => database.drop());

  const plan = () => planTakeover(database.url('owner'), { legacyTimeZone: ZONE });

  test('are all named, by table, id and rule', async () => {
    const { problems } = await plan();
    expect(
      problems.map(({ table, rule, reason, ids }) => [table, reason.split(' ')[0], rule, ids.join(' ')]),
    ).toEqual([
      ['hierarchy', 'parent_id', 'dangling', '101'],
      ['hierarchy', 'type', 'unknown value', '102'],
      ['hierarchy', 'name', 'too long', '103'],
      ['hierarchy', 'parent_id', 'duplicate', '104 105 106 107'],
      ['file_attachment', 'file_size', 'too small', '101'],
      ['file_attachment', 's3_key', 'duplicate', '102 103'],
      ['supplier', 'name', 'missing', '101'],
      ['supplier', 'file_icon_id', 'dangling', '102'],
      ['service_type', 'name', 'duplicate', '101 102'],
      ['service', 'service_type_id', 'dangling', '103'],
      ['service', 'name', 'duplicate', '101 102'],
      ['budget_source', 'name', 'too long', '101'],
      ['budget_source', 'name', 'duplicate', '102 103'],
      ['responsible_authority', 'created_at', 'no date', '101 102'],
      ['stage_type', 'responsible_authority_id', 'dangling', '101'],
      ['predefined_flow', 'flow_name', 'duplicate', '2 101'],
      ['predefined_flow_stage', 'predefined_flow_id', 'dangling', '101'],
      ['predefined_flow_stage', 'priority', 'too small', '102'],
      ['purpose', 'status', 'missing', '102'],
      ['purpose', 'status', 'unknown value', '101'],
      ['purpose', 'expected_delivery', 'no date', '105'],
      ['purpose', 'supplier_id', 'dangling', '103'],
      ['purpose', 'is_flagged', 'missing', '104'],
      ['purpose_content', 'purpose_id', 'dangling', '101'],
      ['purpose_content', 'quantity', 'too small', '102'],
      ['purpose_content', 'purpose_id', 'duplicate', '103 104'],
      ['purpose_status_history', 'purpose_id', 'dangling', '101'],
      ['purchase', 'purpose_id', 'missing', '102'],
      ['purchase', 'purpose_id', 'dangling', '101'],
      ['cost', 'purchase_id', 'dangling', '106'],
      ['cost', 'currency', 'unknown value', '107'],
      ['cost', 'amount', 'not a number', '101 102 103'],
      ['cost', 'amount', 'negative', '104'],
      ['cost', 'amount', 'too large', '105'],
      ['stage', 'purchase_id', 'dangling', '103'],
      ['stage', 'priority', 'too small', '101 102'],
      ['stage', 'id', 'duplicate', '104 104'],
      ['purpose_file_attachment', 'file_attachment_id', 'dangling', '1/99'],
      ['purpose_file_attachment', 'purpose_id', 'duplicate', '1/2 1/2'],
      ['hierarchy', 'parent_id', 'own parent', '108'],
      ['hierarchy', 'parent_id', 'cycle', '109 110 111'],
      ['hierarchy', 'the', 'path too long', '115 116'],
    ]);
    expect(problems.every(({ ids, count }) => ids.length === count)).toBe(true);
  });

  test('stop the takeover before anything is changed, copied or locked for long', async () => {
    const before = await everything(database);
    const copyTo = await folder();
    const result = await takeOver(database, { copyTo });
    expect(result).toEqual({ outcome: 'findings', problems: (await plan()).problems });
    expect(await readdir(copyTo)).toEqual([]);
    expect(await everything(database)).toEqual(before);
  });

  test('come with a repair that a person may run, where one is thinkable', async () => {
    await undone(database.url('owner'), async ({ pool }) => {
      const { problems } = await plan();
      const ready = problems.filter(({ repair }) => !repair.includes('…') && !repair.startsWith('--'));
      expect(ready.length).toBeGreaterThan(25);
      for (const { repair } of ready) await pool.query(repair);
      // What is left is what only a person can know.
      const { columns } = await inspect(pool);
      const left = await findProblems(pool, columns);
      expect(left.map(({ table, rule, ids }) => [table, rule, ids.join(' ')])).toEqual([
        ['file_attachment', 'duplicate', '102 103'],
        ['supplier', 'missing', '101'],
        ['responsible_authority', 'no date', '101 102'],
        ['purpose', 'missing', '102'],
        ['purpose', 'no date', '105'],
        ['purpose', 'missing', '104'],
        ['purchase', 'missing', '102'],
        ['cost', 'not a number', '101 102 103'],
        ['cost', 'negative', '104'],
        ['cost', 'too large', '105'],
        ['hierarchy', 'cycle', '109 110 111'],
        ['hierarchy', 'path too long', '115 116'],
      ]);
    });
  });
});

test('of very many broken rows the first thousand are named, and all are counted', async () => {
  const database = await predecessor();
  await database.pool.query(
    "insert into cost (purchase_id, currency, amount) select 1, 'ILS', -g from generate_series(1, 1200) g",
  );
  const { problems } = await planTakeover(database.url('owner'));
  expect(problems).toMatchObject([{ table: 'cost', rule: 'negative', count: 1200 }]);
  expect(problems[0]?.ids).toHaveLength(1000);
  await database.drop();
});

describe('the plan', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await predecessor();
    await database.pool.query('grant select on purpose to calculaud_readonly');
  });
  afterAll(() => database.drop());

  test('says what is there and what would be done, and changes nothing', async () => {
    const before = await everything(database);
    const plan = await planTakeover(database.url('owner'), { legacyTimeZone: ZONE });
    expect(plan).toMatchObject({
      version: '7c1f09ab34de',
      tables: expect.arrayContaining([
        { table: 'purpose', rows: 5 },
        { table: 'stage', rows: 8 },
      ]),
      others: ['audit_of_somebody'],
      problems: [],
      notes: expect.arrayContaining([
        expect.stringContaining('purpose.creation_time: 1 times that Asia/Jerusalem never showed'),
        expect.stringContaining('purpose.last_modified: 1 times that Asia/Jerusalem showed twice'),
        expect.stringContaining('calculaud_readonly had some'),
      ]),
    });
    expect(plan.steps).toHaveLength(6);
    expect(await everything(database)).toEqual(before);
  });

  test('names who is connected', async () => {
    const stranger = new pg.Client({ connectionString: database.url('app'), application_name: 'uvicorn' });
    await stranger.connect();
    const { connections } = await planTakeover(database.url('owner'));
    expect(connections).toContainEqual({
      pid: expect.any(Number),
      user: 'calculaud_app',
      application: 'uvicorn',
    });
    await stranger.end();
  });
});

describe('a takeover is refused, and nothing is changed,', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await predecessor();
  });
  afterEach(() => database.drop());

  test.each([
    [
      'when a table is missing',
      'drop table purpose_status_history',
      'The table purpose_status_history is missing.',
    ],
    [
      'when a column is missing',
      'alter table purpose drop column is_flagged',
      'The column purpose.is_flagged is missing.',
    ],
    ['when a column is unknown', 'alter table cost add column vat float', 'The column cost.vat is unknown'],
    [
      'when a column has another type',
      'alter table purpose alter column expected_delivery type timestamp',
      'The column purpose.expected_delivery has the type timestamp, not date.',
    ],
    [
      'when a view reads the tables',
      'create view open as select id from purpose',
      'The view open reads purpose',
    ],
    [
      'when a trigger would be lost',
      'create trigger t before update on stage for each row execute function suppress_redundant_updates_trigger()',
      'The trigger t of stage would be lost',
    ],
    ['when the needed schema is taken', 'create schema predecessor', 'The schema predecessor exists'],
    [
      'when there are several obstacles, with all of them',
      'alter table cost add column vat float; drop table purpose_content',
      /purpose_content is missing.*\n.*cost\.vat is unknown/,
    ],
  ])('%s', async (_, change, message) => {
    await database.pool.query(change);
    const before = await everything(database);
    await expect(takeOver(database)).rejects.toThrow(message);
    await expect(planTakeover(database.url('owner'))).rejects.toThrow(message);
    expect(await everything(database)).toEqual(before);
  });

  test('when the user does not own the tables', async () => {
    await expect(takeOver(database, { connectionString: database.url('app') })).rejects.toThrow(
      /The user calculaud_app may not create.*\n[^]*The table purpose belongs to calculaud_owner, not to calculaud_app\./,
    );
  });

  test('when the zone has no such name', async () => {
    await expect(takeOver(database, { legacyTimeZone: 'Asia/Atlantis' })).rejects.toThrow(
      'no time zone Asia/Atlantis',
    );
    await expect(takeOver(database, { legacyTimeZone: 'UTC+3' })).rejects.toThrow('no time zone UTC+3');
  });

  test('while others are connected', async () => {
    const stranger = new pg.Client({ connectionString: database.url('app'), application_name: 'uvicorn' });
    await stranger.connect();
    await expect(takeOver(database, { ignoreConnections: false })).rejects.toThrow(/calculaud_app, uvicorn/);
    await stranger.end();
  });

  test('while somebody holds a lock that he does not give back', async () => {
    const holder = new pg.Client({ connectionString: database.url('owner') });
    await holder.connect();
    await holder.query('begin; update stage set note = note where id = 1');
    await expect(takeOver(database, { lockTimeoutMs: 20 })).rejects.toThrow('does not let go');
    await holder.end();
  });

  test("when the database is not the predecessor's", async () => {
    const empty = await createTestDatabase({ empty: true });
    await expect(takeOver(empty)).rejects.toThrow('no database of the predecessor');
    await empty.drop();
    const ours = await createTestDatabase();
    await expect(takeOver(ours)).rejects.toThrow('ours from the start');
    await ours.drop();
  });
});

test('a lock that is given back is waited for', async () => {
  const database = await predecessor();
  const holder = new pg.Client({ connectionString: database.url('owner') });
  await holder.connect();
  await holder.query('begin; update stage set note = note where id = 1');
  let released: Promise<unknown> | undefined;
  const result = await takeOver(database, {
    lockTimeoutMs: 20,
    log: () => {
      released ??= holder.query('commit');
    },
  });
  expect(result.outcome).toBe('done');
  await released;
  await holder.end();
  await database.drop();
});

test('columns that somebody has tightened already are taken as they are', async () => {
  const database = await predecessor();
  await database.pool.query(`
    set timezone = 'UTC';
    delete from cost where id = 4;
    alter table cost alter column amount type real, alter column currency type varchar(20);
    alter table purchase alter column creation_date type timestamptz`);
  // Just below the limit as a double; a real writes it as 1e+15.
  expect((await planTakeover(database.url('owner'))).problems).toMatchObject([
    { rule: 'too large', ids: ['7'] },
  ]);
  await database.pool.query('delete from cost where id = 7');
  const before = await rows(database, 'select id, amount::text from cost order by id');
  expect((await takeOver(database)).outcome).toBe('done');
  expect(await rows(database, 'select id, amount::real::text as amount from cost order by id')).toEqual(
    before.map((row) => ({ ...row, amount: row['amount'] === '-0' ? '0' : row['amount'] })),
  );
  expect(await rows(database, 'select creation_date from purchase where id = 1')).toEqual([
    { creation_date: new Date('2023-04-01T12:00:00Z') },
  ]);
  await database.drop();
});

test('a database without any rows is taken over, too', async () => {
  const database = await createTestDatabase({ empty: true });
  await createPredecessorTables(database.pool);
  expect((await takeOver(database)).outcome).toBe('done');
  expect(await rows(database, 'insert into purpose default values returning id')).toEqual([{ id: 1 }]);
  await database.drop();
});

test.each(['Copied purpose:', 'Converted stage:', 'Worked out who waits'])(
  'killed after "%s", it leaves the old database as it was, and can be run again',
  async (moment) => {
    const database = await predecessor();
    const before = await everything(database);
    const options = {
      connectionString: database.url('owner'),
      copyTo: await folder(),
      ignoreConnections: true,
    };
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '--eval', KILLED, moment, JSON.stringify(options)],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);

    // The server undoes the transaction, and gives back the lock, when it notices that nobody is there any more.
    const alone = { connectionString: database.url('owner'), log: () => undefined, lockTimeoutMs: 0 };
    await aloneOnDatabase(alone, async () => undefined);
    expect(await everything(database)).toEqual(before);
    expect((await takeOver(database)).outcome).toBe('done');
    await database.drop();
  },
);

/** Ends itself, as hard as can be, at the line of the log that starts with its first argument. */
const KILLED = `
  import { applyTakeover } from '${new URL('takeover.ts', import.meta.url).href}';
  const [moment, options] = process.argv.slice(1);
  const log = (line) => {
    if (line.startsWith(moment)) process.kill(process.pid, 'SIGKILL');
  };
  await applyTakeover({ ...JSON.parse(options), log });
`;

/** Takes off what kept the predecessor's rows in order, as far as anything did. */
const LOOSE = `
do $$
declare
  c record;
begin
  for c in
    select conrelid::regclass as relation, conname from pg_constraint
    where connamespace = 'public'::regnamespace and contype in ('f', 'u', 'p') and conrelid <> 'alembic_version'::regclass
    order by contype <> 'f'
  loop
    execute format('alter table %s drop constraint %I', c.relation, c.conname);
  end loop;
  for c in
    select indexrelid::regclass as index from pg_index
    where indisunique and indrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)
      and indrelid <> 'alembic_version'::regclass
  loop
    execute format('drop index %s', c.index);
  end loop;
end $$;
alter table hierarchy alter column type type varchar(20), alter column name type text;
alter table supplier alter column name drop not null;
alter table purpose alter column status type text, alter column status drop not null, alter column is_flagged drop not null;
alter table purchase alter column purpose_id drop not null;
alter table cost alter column currency type text;
`;

const BROKEN = `
insert into hierarchy (id, parent_id, type, name) values
  (101, 99, 'TEAM', 'no parent'), (102, 1, 'SQUAD', 'no type'), (103, 1, 'TEAM', repeat('x', 256)),
  (104, 1, 'TEAM', 'twin'), (105, 1, 'TEAM', 'twin'), (106, null, 'UNIT', 'root twin'), (107, null, 'UNIT', 'root twin'),
  (108, 108, 'TEAM', 'own parent'),
  (109, 111, 'TEAM', 'cycle'), (110, 109, 'TEAM', 'cycle'), (111, 110, 'TEAM', 'cycle'),
  (112, null, 'TEAM', repeat('a', 255)), (113, 112, 'TEAM', repeat('b', 255)), (114, 113, 'TEAM', repeat('c', 255)),
  (115, 114, 'TEAM', repeat('d', 255)), (116, 115, 'TEAM', 'e');
insert into file_attachment (id, original_filename, s3_key, mime_type, file_size) values
  (101, 'f', 'key 1', 'x', -1), (102, 'f', 'key 2', 'x', 1), (103, 'f', 'key 2', 'x', 1);
insert into supplier (id, name, file_icon_id) values (101, null, null), (102, 'no icon', 99);
insert into service_type (id, name) values (101, 'twin'), (102, 'twin');
insert into service (id, name, service_type_id) values (101, 'twin', 1), (102, 'twin', 1), (103, 'no type', 99);
insert into budget_source (id, name) values (101, repeat('x', 256)), (102, 'twin'), (103, 'twin');
insert into responsible_authority (id, name, created_at) values (101, 'a', 'infinity'), (102, 'b', '0001-01-01 BC');
insert into stage_type (id, name, display_name, responsible_authority_id) values (101, 'no authority', 'x', 99);
insert into predefined_flow (id, flow_name) values (101, '');
insert into predefined_flow_stage (id, predefined_flow_id, stage_type_id, priority) values (101, 99, 6, 1), (102, 1, 6, 0);
insert into purpose (id, status, supplier_id, is_flagged, expected_delivery) values
  (101, 'LOST', null, false, null), (102, null, null, false, null), (103, 'SIGNED', 99, false, null),
  (104, 'SIGNED', null, null, null), (105, 'SIGNED', null, false, 'infinity');
insert into purpose_content (id, purpose_id, service_id, quantity) values
  (101, 99, 1, 1), (102, 2, 1, 0), (103, 900, 1, 1), (104, 900, 1, 2);
insert into purpose_status_history (id, purpose_id, new_status) values (101, 99, 'SIGNED');
insert into purchase (id, purpose_id) values (101, 99), (102, null);
insert into cost (id, purchase_id, currency, amount) values
  (101, 1, 'ILS', 'Infinity'), (102, 1, 'ILS', '-Infinity'), (103, 1, 'ILS', 'NaN'), (104, 1, 'ILS', -0.01),
  (105, 1, 'ILS', 1e15), (106, 99, 'ILS', 1), (107, 1, 'EUR', 1);
insert into stage (id, stage_type_id, purchase_id, priority) values
  (101, 6, 1, 0), (102, 6, 1, -3), (103, 6, 99, 1), (104, 6, 1, 1), (104, 6, 1, 2);
insert into purpose_file_attachment values (1, 99), (1, 2);
`;

/** As psql would run it. */
async function restore(database: TestDatabase, copy: string): Promise<void> {
  const client = new pg.Client({ connectionString: database.url('owner') });
  await client.connect();
  for (const statement of (await readFile(join(copy, 'restore.sql'), 'utf8')).split('\n')) {
    const [, table, file] = /^\\copy (\S+) from '(.+)'$/.exec(statement) ?? [];
    if (table === undefined || file === undefined) await client.query(statement);
    else
      await pipeline(createReadStream(join(copy, file)), client.query(copyFrom(`copy ${table} from stdin`)));
  }
  await client.end();
}

function withoutNumbers(description: Record<string, string[]>): string[] | undefined {
  return description['columns']?.map((line) => line.replace(/ \d+ /, ' ')).toSorted();
}
