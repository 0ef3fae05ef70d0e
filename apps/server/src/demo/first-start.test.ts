import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '@calculaud/config/load';
import { openDatabase } from '@calculaud/db/database';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { demonstrateOnFirstStart } from './first-start.ts';
import { clearDemo } from './service.ts';

let database: TestDatabase;
let folder: string;
beforeEach(async () => {
  database = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), 'calculaud-demo-test-'));
});
afterEach(async () => {
  await database.drop();
  await rm(folder, { recursive: true });
});

/** What it said. */
async function start(environment: Record<string, string> = {}): Promise<string[]> {
  const said: string[] = [];
  const config = loadConfig({ LOG_LEVEL: 'silent', CALCULAUD_DATA: folder, ...environment });
  await demonstrateOnFirstStart(config, database.url('app'), (message) => said.push(message));
  return said;
}

async function count(): Promise<number> {
  const { rows } = await database.pool.query<{ count: number }>('select count(*)::int from purpose');
  return rows[0]?.count ?? 0;
}

async function events(): Promise<string[]> {
  const { rows } = await database.pool.query<{ event: string }>(
    'select event from demonstration order by id',
  );
  return rows.map(({ event }) => event);
}

async function clear(): Promise<void> {
  const db = openDatabase({
    connectionString: database.url('app'),
    poolSize: 1,
    statementTimeoutMs: 60_000,
    applicationName: 'calculaud test',
  });
  await clearDemo(db);
  await db.close();
}

test('the first start adds it, later ones do not, not even after it was cleared', async () => {
  expect(await start()).toEqual([expect.stringContaining('npx calculaud demo clear')]);
  expect(await count()).toBe(300);
  expect(await start()).toEqual([]);
  expect(await count()).toBe(300);
  await clear();
  expect(await start()).toEqual([]);
  expect(await count()).toBe(0);
  expect(await events()).toEqual(['added', 'cleared']);
}, 60_000);

test('who declines it once has declined it for good', async () => {
  expect(await start({ CALCULAUD_DEMO: '0' })).toEqual([]);
  expect(await start()).toEqual([]);
  expect({ purposes: await count(), events: await events() }).toEqual({ purposes: 0, events: ['declined'] });
});

test.each([
  "insert into supplier (name) values ('Ours')",
  "insert into hierarchy (type, name) values ('UNIT', 'Ours')",
  'with gone as (insert into purpose default values returning id) select id from gone',
])('where somebody entered something, it is not added: %s', async (entry) => {
  await database.pool.query(entry);
  await database.pool.query('delete from purpose');
  expect(await start()).toEqual([]);
  expect({ purposes: await count(), events: await events() }).toEqual({ purposes: 0, events: [] });
});

test("a database of somebody else's server is left alone", async () => {
  expect(await start({ DATABASE_URL: database.url('app') })).toEqual([]);
  expect({ purposes: await count(), events: await events() }).toEqual({ purposes: 0, events: [] });
});

test('without its file store the system starts without it, and the next start tries again', async () => {
  await writeFile(join(folder, 'files'), 'a file where the folder should be');
  expect(await start()).toEqual([expect.stringContaining('file store cannot be used')]);
  expect({ purposes: await count(), events: await events() }).toEqual({ purposes: 0, events: [] });
  await rm(join(folder, 'files'));
  expect(await start()).toEqual([expect.stringContaining('Added a demonstration')]);
  expect(await count()).toBe(300);
}, 60_000);
