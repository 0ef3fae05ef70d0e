import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableDigests } from '@calculaud/backup/logical/hash';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { calculaud } from '../../testing/command-line.ts';

let folder: string;
let file: string;
let source: TestDatabase;
let target: TestDatabase;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'calculaud-cli-test-'));
  file = join(folder, 'demonstration.tar');
  source = await createTestDatabase();
  target = await createTestDatabase({ empty: true });
  await calculaud('demo add --yes', environment(source, 'app'));
}, 60_000);
afterAll(async () => {
  await source.drop();
  await target.drop();
  rmSync(folder, { recursive: true });
});

function environment(database: TestDatabase, role: 'app' | 'owner') {
  return { DATABASE_URL: database.url(role), CALCULAUD_DATA: join(folder, 'data') };
}

test('the demonstration is exported, planned, confirmed, imported and the same', async () => {
  const exported = await calculaud(['export', file, '--json'], environment(source, 'app'));
  expect(exported).toMatchObject({ exitCode: 0 });
  expect(exported.events()).toMatchObject([
    { event: 'exported', file, rows: expect.any(Number), left: [] },
    { event: 'verified', file },
  ]);

  const plan = await calculaud(['import', file, '--plan'], environment(target, 'owner'));
  expect(plan).toMatchObject({ exitCode: 2 });
  expect(plan.stdout).toMatch(/^= purpose: 300 rows$/m);
  expect(plan.stdout).toMatch(/^~ Make the tables of the export: 0001_tables to /m);

  const unconfirmed = await calculaud(['import', file], environment(target, 'owner'));
  expect(unconfirmed).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('Add --yes') });
  expect((await calculaud('db status --json', environment(target, 'owner'))).events()).toMatchObject([
    { state: 'empty' },
  ]);

  const imported = await calculaud(['import', file, '--yes', '--json'], environment(target, 'owner'));
  expect(imported).toMatchObject({ exitCode: 0 });
  expect(imported.events()).toMatchObject([
    { event: 'plan', file },
    { event: 'imported', skipped: [], migrated: [] },
    { event: 'verified' },
  ]);
  const digests = await tableDigests(source.url('owner'));
  expect(digests.find(({ table }) => table === 'purpose')?.rows).toBe(300);
  expect(await tableDigests(target.url('owner'))).toEqual(digests);
  expect((await calculaud('db status', environment(target, 'owner'))).exitCode).toBe(0);

  // Now there is something in it.
  const again = await calculaud(['import', file, '--yes'], environment(target, 'owner'));
  expect(again).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining('goes into an empty database only'),
  });
}, 60_000);

test('what is there is not written over, and what is damaged not imported', async () => {
  const damaged = join(folder, 'damaged.tar');
  expect((await calculaud(['export', damaged], environment(source, 'app'))).exitCode).toBe(0);
  const before = readdirSync(folder);
  const again = await calculaud(['export', damaged], environment(source, 'app'));
  expect(again).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('is there already') });
  expect(readdirSync(folder)).toEqual(before);

  truncateSync(damaged, 100_000);
  const refused = await calculaud(['import', damaged, '--yes', '--json'], environment(target, 'owner'));
  expect(refused.exitCode).toBe(3);
  expect(refused.events()).toMatchObject([
    { event: 'error', message: expect.stringContaining('is damaged or was cut off'), exit_code: 3 },
  ]);
  const absent = await calculaud('import nowhere.tar --yes', environment(target, 'owner'));
  expect(absent).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('nowhere.tar') });
}, 60_000);
