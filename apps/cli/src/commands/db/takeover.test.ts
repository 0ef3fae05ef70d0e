import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { createPredecessorTables, fillPredecessor } from '@calculaud/testing/predecessor';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { calculaud } from '../../testing/command-line.ts';

let database: TestDatabase;
let environment: { DATABASE_URL: string; CALCULAUD_DATA: string };
beforeEach(async () => {
  database = await createTestDatabase({ empty: true });
  environment = {
    DATABASE_URL: database.url('owner'),
    CALCULAUD_DATA: mkdtempSync(join(tmpdir(), 'calculaud-cli-test-')),
  };
  await createPredecessorTables(database.pool);
  await fillPredecessor(database.pool);
});
afterEach(async () => {
  await database.drop();
  rmSync(environment.CALCULAUD_DATA, { recursive: true });
});

test("the predecessor's database is planned, confirmed, taken over and verified", async () => {
  expect((await calculaud('db migrate', environment)).stderr).toContain('calculaud db takeover');

  const plan = await calculaud('db takeover --plan', environment);
  expect(plan.exitCode).toBe(2);
  expect(plan.stdout).toMatch(/^= purpose: \d+ rows$/m);
  expect(plan.stdout).toMatch(/^~ Copy all tables/m);

  const unconfirmed = await calculaud('db takeover --ignore-connections', environment);
  expect(unconfirmed).toMatchObject({
    exitCode: 3,
    stdout: '',
    stderr: expect.stringContaining('Add --yes'),
  });
  expect((await calculaud('db status --json', environment)).events()).toMatchObject([
    { state: 'predecessor' },
  ]);

  const done = await calculaud('db takeover --yes --ignore-connections --json', environment);
  expect(done).toMatchObject({ exitCode: 0 });
  expect(done.events().at(-1)).toMatchObject({ event: 'verified' });
  expect(readdirSync(join(environment.CALCULAUD_DATA, 'takeover'))).toHaveLength(1);
  expect((await calculaud('db status', environment)).exitCode).toBe(0);
});

test('rows that break a rule are listed, and nothing is changed', async () => {
  await database.pool.query("update cost set amount = 'infinity' where id = (select min(id) from cost)");
  const refused = await calculaud('db takeover --yes --ignore-connections --json', environment);
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain('Nothing was changed.');
  expect(refused.events()).toMatchObject([
    {
      version: 1,
      event: 'plan',
      predecessor_version: expect.any(String),
      problems: [{ table: 'cost', count: 1, ids: [expect.any(String)] }],
    },
  ]);
  expect((await calculaud('db status --json', environment)).events()).toMatchObject([
    { state: 'predecessor' },
  ]);
});
