import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@calculaud/config/load';
import { openDatabase } from '@calculaud/db/database';
import { addDemo } from '@calculaud/server/demo/service';
import { openStorage } from '@calculaud/server/platform/storage';
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
  const config = loadConfig(environment);
  const db = openDatabase({
    connectionString: environment.DATABASE_URL,
    poolSize: 2,
    statementTimeoutMs: 60_000,
    applicationName: 'calculaud test',
  });
  try {
    await addDemo({ config, db, storage: await openStorage(config.files.store) }, new Date());
  } finally {
    await db.close();
  }
}, 60_000);
afterAll(async () => {
  await database.drop();
  rmSync(environment.CALCULAUD_DATA, { recursive: true });
});

async function purposes(): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>('select count(*)::int as count from purpose');
  return rows[0]?.count ?? 0;
}

test('the plan names the purposes that people edited, and with --edited they are to go, too', async () => {
  const all = await purposes();
  await database.pool.query(`
    insert into principal (kind, subject, name) values ('person', 'me', 'Me');
    select set_config('calculaud.principal_id', id::text, true) from principal where subject = 'me';
    update purpose set comments = 'Ours' where id = (select max(id) from purpose)`);
  const { rows } = await database.pool.query<{ id: number }>('select max(id) as id from purpose');
  const id = rows[0]?.id;

  const plan = await calculaud('demo clear --plan', environment);
  expect(plan.stdout).toContain(`- purpose: ${all - 1}\n`);
  expect(plan.stdout).toMatch(new RegExp(`= purpose ${id} ".*" stays: somebody edited it\n`));
  expect(plan.stdout).toContain('go with --edited');
  const together = await calculaud('demo clear --plan --edited', environment);
  expect(together.stdout).toContain(`- purpose: ${all}\n`);
  expect(together.stdout).not.toContain('stays');
});

test('the demonstration goes after a confirmation; what people entered stays', async () => {
  const { rows } = await database.pool.query<{ id: number }>(
    "insert into supplier (name) values ('a supplier of ours') returning id",
  );
  const before = await purposes();
  expect(before).toBeGreaterThan(200);

  const plan = await calculaud('demo clear --plan --edited', environment);
  expect(plan.exitCode).toBe(2);
  expect(plan.stdout).toContain(`- purpose: ${before}\n`);

  const unconfirmed = await calculaud('demo clear', environment);
  expect(unconfirmed).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('Add --yes') });
  expect(await purposes()).toBe(before);

  const cleared = await calculaud('demo clear --edited --yes --json', environment);
  expect(cleared.exitCode).toBe(0);
  expect(cleared.events()).toMatchObject([
    { event: 'plan' },
    { event: 'demo_cleared', going: { purpose: before } },
    { event: 'verified' },
  ]);
  expect(await purposes()).toBe(0);
  expect((await database.pool.query('select from supplier where id = $1', [rows[0]?.id])).rowCount).toBe(1);

  const again = await calculaud('demo clear', environment);
  expect(again).toMatchObject({
    exitCode: 0,
    stderr: expect.stringContaining('Nothing of the demonstration'),
  });
});
