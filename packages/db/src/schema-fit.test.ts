import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readMigrations } from './migration-files.ts';
import { assertSchemaFits } from './schema-fit.ts';

let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

const recordMigration = (number: number, breaking: boolean) =>
  database.pool.query(
    `insert into schema_migration (number, name, checksum, duration_ms, breaking, app_version)
     values ($1, 'of_tomorrow', 'x', 1, $2, '9.1.0')`,
    [number, breaking],
  );

test('the migrated schema fits, as every process sees it', async () => {
  await assertSchemaFits(database.url('owner'));
  await assertSchemaFits(database.url('app'));
  await assertSchemaFits(database.url('worker'));
  await assertSchemaFits(database.pool);
});

test('an empty database is older than the code needs', async () => {
  const empty = await createTestDatabase({ empty: true });
  await expect(assertSchemaFits(empty.url('app'))).rejects.toMatchObject({
    message: expect.stringMatching(/older than this version needs; not applied: 0001_tables, 0002_/),
    hint: 'Run `calculaud db migrate`.',
  });
  await empty.drop();
});

test('one missing migration is enough', async () => {
  await database.pool.query('delete from schema_migration where number = 3');
  await expect(assertSchemaFits(database.pool)).rejects.toThrow('not applied: 0003_people_and_versions.');
});

test('a schema whose migration was killed before the reference data does not fit yet', async () => {
  await database.pool.query('delete from schema_migration where number = 0');
  await expect(assertSchemaFits(database.pool)).rejects.toThrow('not yet its reference data');
});

test('newer migrations are fine, as long as none is breaking', async () => {
  await recordMigration(9000, false);
  await assertSchemaFits(database.pool);
  await recordMigration(9001, true);
  await expect(assertSchemaFits(database.pool)).rejects.toMatchObject({
    message: expect.stringContaining('cannot run on: 9001_of_tomorrow'),
    hint: 'Start version 9.1.0 or a newer one.',
  });
});

test('a breaking migration that the code knows is fine', async () => {
  await database.pool.query('update schema_migration set breaking = true where number = 4');
  await assertSchemaFits(database.pool);
});

test('a code that knows a contract migration runs before it, too', async () => {
  // As if the last file of this code were one that breaks older code.
  const known = await readMigrations();
  const last = known.at(-1);
  await database.pool.query('delete from schema_migration where number = $1', [last?.number]);
  await expect(assertSchemaFits(database.pool)).rejects.toThrow('older than this version needs');
  const marked = known.map((migration) => ({ ...migration, breaking: migration === last }));
  await assertSchemaFits(database.pool, marked);
});

test('a database that is not, or only half taken over does not fit', async () => {
  await database.pool.query('create table alembic_version (version_num text)');
  await expect(assertSchemaFits(database.pool)).rejects.toMatchObject({
    hint: expect.stringContaining('calculaud db takeover'),
  });
});
