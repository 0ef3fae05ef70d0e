import { createWriteStream } from 'node:fs';
import { copyFile, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { migrate } from '@calculaud/db/migrate';
import { readMigrations } from '@calculaud/db/migration-files';
import { writeReferenceData } from '@calculaud/db/reference';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { describeSchema } from '@calculaud/testing/schema';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportDatabase } from '@calculaud/backup/logical/export';
import { tableDigests } from '@calculaud/backup/logical/hash';
import { importDatabase, type ImportProgress } from '@calculaud/backup/logical/import';
import { enterRows } from '../../packages/backup/src/logical/testing/rows.ts';

const appVersion = '1.2.3';
let folder: string;
let source: TestDatabase;
let file: string;
const databases: TestDatabase[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-import-'));
  source = await newDatabase();
  await enterRows(source.pool);
  file = await exported(source, 'source.tar');
}, 60_000);
afterAll(async () => {
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true, force: true });
});

async function newDatabase(options?: { empty?: boolean }): Promise<TestDatabase> {
  const database = await createTestDatabase(options);
  databases.push(database);
  return database;
}

async function exported(database: TestDatabase, name: string): Promise<string> {
  const out = join(folder, name);
  await exportDatabase({ connectionString: database.url('owner'), appVersion, out });
  return out;
}

async function asSuperuser(database: TestDatabase, statement: string): Promise<void> {
  const client = new Client({ connectionString: database.superuserUrl() });
  await client.connect();
  await client.query(statement);
  await client.end();
}

function importInto(database: TestDatabase, from = file) {
  return importDatabase({ file: from, connectionString: database.url('owner'), appVersion });
}

/** All that an import could change. */
async function everything(database: TestDatabase): Promise<unknown> {
  const { rows: sequences } = await database.pool.query(`
    select c.relname, pg_sequence_last_value(c.oid) as at from pg_class c
    where c.relkind = 'S' and c.relnamespace = 'public'::regnamespace order by 1`);
  const digests = await tableDigests(database.url('owner'));
  return { digests, sequences, schema: await describeSchema(database.pool) };
}

describe('an import is refused, and changes nothing,', () => {
  test('when somebody entered rows: the first such table is named', async () => {
    const target = await newDatabase();
    await target.pool.query("insert into supplier (name) values ('Ours')");
    const before = await everything(target);
    await expect(importInto(target)).rejects.toMatchObject({
      kind: 'impossible',
      object: 'supplier',
      message: expect.stringContaining('Nothing was changed'),
    });
    expect(await everything(target)).toEqual(before);
  });

  test('when somebody only edited or removed what a new system begins with', async () => {
    for (const edit of [
      "update stage_type set display_name = 'Ours' where id = 6",
      'delete from flow_rule',
    ]) {
      const target = await newDatabase();
      await target.pool.query(edit);
      await expect(importInto(target)).rejects.toMatchObject({ kind: 'impossible', object: 'audit_entry' });
    }
  });

  test('when a row of the export refers to one that is not there', async () => {
    const broken = await newDatabase();
    await broken.pool.query(`
      alter table cost drop constraint cost_purchase_id_fkey, disable trigger user;
      insert into cost (purchase_id, currency, amount) values (4711, 'ILS', 1)`);
    const orphan = await exported(broken, 'orphan.tar');
    const target = await newDatabase();
    const before = await everything(target);
    await expect(importInto(target, orphan)).rejects.toMatchObject({ kind: 'corrupt', object: 'cost' });
    expect(await everything(target)).toEqual(before);
  });

  test('when a value breaks a rule of its column', async () => {
    const broken = await newDatabase();
    await broken.pool.query(`
      alter table cost drop constraint cost_amount_check, drop constraint cost_purchase_id_fkey, disable trigger user;
      insert into cost (purchase_id, currency, amount) values (1, 'ILS', 'NaN')`);
    const wrong = await exported(broken, 'wrong.tar');
    await expect(importInto(await newDatabase(), wrong)).rejects.toMatchObject({
      kind: 'corrupt',
      object: 'cost',
    });
  });

  test('when the file is damaged: the database is not even asked', async () => {
    const damaged = join(folder, 'damaged.tar');
    await copyFile(file, damaged);
    const handle = await open(damaged, 'r+');
    await handle.write(Buffer.from('damage'), 0, 6, 3000);
    await handle.close();
    await expect(
      importDatabase({ file: damaged, connectionString: 'postgresql://nobody@localhost:1/none', appVersion }),
    ).rejects.toMatchObject({ kind: 'corrupt' });
  });

  test('when the server cannot be reached', async () => {
    await expect(
      importDatabase({ file, connectionString: 'postgresql://nobody@localhost:1/none', appVersion }),
    ).rejects.toMatchObject({ kind: 'unavailable' });
  });

  test('when the database holds something else', async () => {
    const target = await newDatabase({ empty: true });
    await target.pool.query('create table other (id int)');
    await expect(importInto(target)).rejects.toMatchObject({ kind: 'impossible' });
  });

  test('when a table has other columns', async () => {
    const target = await newDatabase();
    await target.pool.query('alter table supplier add column extra text');
    await expect(importInto(target)).rejects.toMatchObject({ kind: 'impossible', object: 'supplier' });
  });

  test('when somebody holds a table', async () => {
    const target = await newDatabase();
    const holder = await target.pool.connect();
    await holder.query('begin; lock table supplier in access share mode');
    try {
      await expect(importInto(target)).rejects.toMatchObject({ kind: 'busy' });
    } finally {
      await holder.query('rollback');
      holder.release();
    }
  });

  test('when the export is of a newer schema: the version that can is named', async () => {
    const newer = await newDatabase();
    await newer.pool.query(`
      insert into schema_migration (number, name, checksum, duration_ms, breaking)
      values (9999, 'of_tomorrow', '${'a'.repeat(64)}', 1, false)`);
    const tomorrows = await exported(newer, 'newer.tar');
    await expect(importInto(await newDatabase(), tomorrows)).rejects.toMatchObject({
      kind: 'impossible',
      message: expect.stringContaining('9999_of_tomorrow'),
    });
  });

  test('when the export is of an older schema than the database that is there', async () => {
    const target = await newDatabase();
    await expect(
      importInto(target, await exported(await olderDatabase(), 'older-1.tar')),
    ).rejects.toMatchObject({
      kind: 'impossible',
      message: expect.stringContaining('its schema goes up to'),
    });
  });
});

/** As an earlier version left it. */
async function olderDatabase(): Promise<TestDatabase> {
  const older = await newDatabase({ empty: true });
  const directory = await mkdtemp(join(folder, 'schema-'));
  for (const { file: name, sql } of (await readMigrations()).slice(0, -2)) {
    await writeFile(join(directory, name), sql);
  }
  await migrate({ connectionString: older.url('owner'), directory });
  const client = await older.pool.connect();
  await writeReferenceData(client, null);
  client.release();
  return older;
}

test('an export of an older schema is imported into an empty database, and migrated', async () => {
  const older = await olderDatabase();
  await enterRows(older.pool);
  const target = await newDatabase({ empty: true });
  const outcome = await importInto(target, await exported(older, 'older-2.tar'));
  expect(outcome.migrated).toHaveLength(2);
  // The same privileges, granted in another order.
  const { privileges, ...schema } = await describeSchema(source.pool);
  expect(await describeSchema(target.pool)).toMatchObject(schema);
  expect(privileges).toBeDefined();
  const tables = ['purpose', 'stage', 'audit_entry', 'purpose_count'];
  expect(await tableDigests(target.url('owner'), { tables })).toEqual(
    await tableDigests(older.url('owner'), { tables }),
  );
});

test('an import goes on where another one ended while it made the tables', async () => {
  const target = await newDatabase({ empty: true });
  const directory = await mkdtemp(join(folder, 'schema-'));
  for (const { file: name, sql } of (await readMigrations()).slice(0, 3)) {
    await writeFile(join(directory, name), sql);
  }
  await migrate({ connectionString: target.url('owner'), directory });
  await importInto(target);
  expect(await tableDigests(target.url('owner'))).toEqual(await tableDigests(source.url('owner')));
});

describe.each(['rows', 'compare'] as const)('an import that ends while it is at %s', (step) => {
  test('because it is given up leaves everything as it was, and can be run again', async () => {
    const target = await newDatabase();
    const before = await everything(target);
    const stop = new AbortController();
    const options = { file, connectionString: target.url('owner'), appVersion, signal: stop.signal };
    const reason = new Error('given up');
    const onProgress = (progress: ImportProgress): void => {
      if (progress.step === step) stop.abort(reason);
    };
    await expect(importDatabase({ ...options, onProgress })).rejects.toBe(reason);
    expect(await everything(target)).toEqual(before);
    await importInto(target);
    expect(await tableDigests(target.url('owner'))).toEqual(await tableDigests(source.url('owner')));
  });
});

test('an import whose connection is killed in the middle of the rows leaves everything as it was', async () => {
  const target = await newDatabase();
  await target.pool.query(`
    create function die() returns boolean language sql as 'select pg_terminate_backend(pg_backend_pid())';
    alter table stage add constraint stage_dies check (die())`);
  const before = await everything(target);
  await expect(importInto(target)).rejects.toMatchObject({ kind: 'unavailable' });
  expect(await everything(target)).toEqual(before);
});

describe('an export', () => {
  test('is of one moment, whatever is written meanwhile', async () => {
    const changing = await newDatabase();
    await enterRows(changing.pool);
    const before = await tableDigests(changing.url('owner'));
    const out = new PassThrough({ highWaterMark: 1 });
    const path = join(folder, 'moment.tar');
    const options = { connectionString: changing.url('owner'), appVersion, out };
    const exporting = exportDatabase(options);
    // The first bytes are there: the snapshot is, too.
    await new Promise((resolve) => out.once('readable', resolve));
    await changing.pool.query("delete from purpose; update supplier set name = 'Formerly ' || name");
    await Promise.all([exporting, pipeline(out, createWriteStream(path))]);
    const target = await newDatabase();
    await importInto(target, path);
    expect(await tableDigests(target.url('owner'))).toEqual(before);
    expect(await tableDigests(changing.url('owner'))).not.toEqual(before);
  });

  test('that is given up or refused leaves no file and no transaction', async () => {
    const there = await mkdtemp(join(folder, 'none-'));
    const out = join(there, 'export.tar');
    const stop = new AbortController();
    const reason = new Error('given up');
    const options = { connectionString: source.url('owner'), appVersion, out, signal: stop.signal };
    const onProgress = (): void => stop.abort(reason);
    await expect(exportDatabase({ ...options, onProgress })).rejects.toBe(reason);
    expect(await readdir(there)).toEqual([]);

    await expect(
      exportDatabase({
        ...options,
        out: join(there, 'no', 'folder.tar'),
        signal: AbortSignal.timeout(10_000),
      }),
    ).rejects.toMatchObject({ name: 'BackupProblem', kind: 'unavailable' });

    await writeFile(out, 'something');
    await expect(
      exportDatabase({ connectionString: source.url('owner'), appVersion, out }),
    ).rejects.toMatchObject({ kind: 'impossible' });
    expect(await readdir(there)).toEqual(['export.tar']);

    const empty = await newDatabase({ empty: true });
    await expect(
      exportDatabase({ connectionString: empty.url('owner'), appVersion, out: join(there, 'empty.tar') }),
    ).rejects.toMatchObject({ kind: 'impossible' });
  });

  test('carries tables of others that it may read, and says which it may not', async () => {
    const shared = await newDatabase();
    await shared.pool.query(`
      create table "Of others/ä" (note json, at timestamptz default now());
      insert into "Of others/ä" (note) values ('{"a": 1}'), ('{"a": 1}'), (null)`);
    await asSuperuser(shared, 'create table secret (id int)');
    const out = join(folder, 'shared.tar');
    const found = await exportDatabase({ connectionString: shared.url('owner'), appVersion, out });
    expect(found.left).toEqual(['secret']);
    expect(found.tables.find(({ name }) => name === 'Of others/ä')).toMatchObject({ rows: 3 });
    const { skipped } = await importInto(await newDatabase(), out);
    expect(skipped).toEqual(['Of others/ä']);
  });

  test('of a system that nobody used yet can be imported, too', async () => {
    const unused = await newDatabase();
    const target = await newDatabase();
    await importInto(target, await exported(unused, 'unused.tar'));
    expect(await everything(target)).toEqual(await everything(unused));
  });
});
