import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { calculaud } from '../../testing/command-line.ts';

let database: TestDatabase;
let environment: { DATABASE_URL: string; CALCULAUD_DATA: string };
beforeAll(async () => {
  database = await createTestDatabase();
  environment = {
    DATABASE_URL: database.url('app'),
    CALCULAUD_DATA: mkdtempSync(join(tmpdir(), 'calculaud-cli-test-')),
  };
});
afterAll(async () => {
  await database.drop();
  rmSync(environment.CALCULAUD_DATA, { recursive: true });
});

async function purposes(): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>('select count(*)::int as count from purpose');
  return rows[0]?.count ?? 0;
}

test('the demonstration is added once, after a confirmation', async () => {
  const unconfirmed = await calculaud('demo add', environment);
  expect(unconfirmed).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('Add --yes') });
  expect(await purposes()).toBe(0);

  const added = await calculaud('demo add --yes --json', environment);
  expect(added.exitCode).toBe(0);
  expect(added.events()).toMatchObject([{ event: 'demo_added', added: { purpose: 300, hierarchy: 25 } }]);
  expect(await purposes()).toBe(300);

  const again = await calculaud('demo add --yes', environment);
  expect(again).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('is there already') });
  expect(await purposes()).toBe(300);

  expect((await calculaud('demo clear --yes', environment)).exitCode).toBe(0);
  expect((await calculaud('demo add --yes', environment)).exitCode).toBe(0);
  expect(await purposes()).toBe(300);
}, 60_000);
