import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { describeSchema } from '@calculaud/testing/schema';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportDatabase } from './export.ts';
import { tableDigests } from './hash.ts';
import { importDatabase, planImport } from './import.ts';
import type { ExportManifest } from './manifest.ts';
import { enterRows, HOSTILE } from './testing/rows.ts';

const run = promisify(execFile);
const appVersion = '1.2.3';

let folder: string;
let source: TestDatabase;
let file: string;
let manifest: ExportManifest;
const databases: TestDatabase[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-export-'));
  source = await newDatabase();
  await enterRows(source.pool);
  file = join(folder, 'full.tar');
  manifest = await exportDatabase({ connectionString: source.url('backup'), appVersion, out: file });
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

async function importInto(database: TestDatabase, from = file) {
  return importDatabase({ file: from, connectionString: database.url('owner'), appVersion });
}

async function nextIds(database: TestDatabase): Promise<unknown> {
  const { rows } = await database.pool.query(`
    select c.relname, pg_sequence_last_value(c.oid) as at from pg_class c
    where c.relkind = 'S' and c.relnamespace = 'public'::regnamespace order by 1`);
  return rows;
}

describe('an export', () => {
  test('holds every table, as the role for backups may read it, and is planned without a database', async () => {
    const plan = await planImport(file);
    expect(plan.manifest).toEqual(manifest);
    expect(manifest.appVersion).toBe('1.2.3');
    expect(manifest.left).toEqual([]);
    const digests = await tableDigests(source.url('backup'));
    expect(manifest.tables.map(({ name, rows }) => [name, rows])).toEqual(
      digests.map(({ table, rows }) => [table, rows]),
    );
    expect(manifest.tables.find(({ name }) => name === 'purpose')?.rows).toBe(HOSTILE.length - 1);
    expect(await readdir(folder)).toEqual(['full.tar']);
  });

  test('is opened by tar, sha256sum and gunzip', async () => {
    const there = await mkdtemp(join(folder, 'unpacked-'));
    const { stdout } = await run(
      'sh',
      [
        '-c',
        `tar xf '${file}' && sha256sum --quiet -c SHA256SUMS && cat tables/purpose.*.tsv.gz | gunzip | wc -l`,
      ],
      { cwd: there },
    );
    expect(Number(stdout)).toBe(HOSTILE.length - 1);
    await rm(there, { recursive: true });
  });

  test('becomes the same database again: rows, numbering, and every part of the schema', async () => {
    const target = await newDatabase();
    const before = await describeSchema(target.pool);
    const outcome = await importInto(target);
    expect(outcome).toMatchObject({ skipped: [], migrated: [] });
    expect(await tableDigests(target.url('owner'))).toEqual(await tableDigests(source.url('owner')));
    expect(await nextIds(target)).toEqual(await nextIds(source));
    expect(await describeSchema(target.pool)).toEqual(before);
    const { rows } = await target.pool.query<{ description: string }>(
      'select description from purpose order by id',
    );
    expect(rows.map(({ description }) => description)).toEqual(HOSTILE.filter((_, index) => index !== 4));
    // Triggers work again.
    await target.pool.query('update purpose set comments = $1 where id = 1', ['after']);
    const { rows: audit } = await target.pool.query('select from audit_entry order by id desc limit 1');
    expect(audit).toHaveLength(1);
  });

  test('makes the schema where there is none', async () => {
    const target = await newDatabase({ empty: true });
    await importInto(target);
    expect(await tableDigests(target.url('owner'))).toEqual(await tableDigests(source.url('owner')));
    expect(await describeSchema(target.pool)).toEqual(await describeSchema(source.pool));
  });
});
