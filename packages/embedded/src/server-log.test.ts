import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { lastLines } from './server-log.ts';
import { startEmbeddedPostgres } from './supervisor.ts';
import { dataFolder, removeFoldersAfterwards } from './testing/folders.ts';

removeFoldersAfterwards();

test('a statement is logged without its values', async () => {
  const folder = dataFolder();
  const server = await startEmbeddedPostgres({ dataDirectory: folder, durability: 'none' });
  const client = new Client({ connectionString: server.superuserConnectionString() });
  await client.connect();
  // As if it were slow.
  await client.query('set log_min_duration_statement = 0');
  await client.query('select $1::text as what_somebody_typed', ['nobody else shall read this']);
  await client.end();
  await server.stop();

  const log = readFileSync(join(folder, 'postgres.log'), 'utf8');
  expect(log).toContain('what_somebody_typed');
  expect(log).not.toContain('nobody else shall read this');
}, 60_000);

test('of long lines the message of a failure shows the beginning', () => {
  const path = join(dataFolder(), 'postgres.log');
  writeFileSync(path, `short\n${'long '.repeat(1000)}\n`);
  expect(lastLines(path)).toMatch(/^short\n(long )+.*…$/);
  expect(lastLines(path).length).toBeLessThan(600);
});
