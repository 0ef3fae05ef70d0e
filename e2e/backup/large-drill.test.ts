import { connectEmbedded } from '@calculaud/embedded/supervisor';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  adminToken,
  full,
  newDataDirectory,
  removeDataDirectory,
  startSystem,
  type System,
} from '../system.ts';
import { typed } from './command.ts';

const [PURPOSES, FILES] = full ? [10_000, 1000] : [300, 30];
const LONGEST_MS = 5 * 60_000;

let data: string;
let system: System;
beforeAll(async () => {
  data = newDataDirectory();
  system = await startSystem(data);
});
afterAll(async () => {
  await system.stop();
  removeDataDirectory(data);
});

/** With purchases and stages as the triggers keep them. */
async function fillIn(): Promise<void> {
  const server = await connectEmbedded(data);
  if (!server) throw new Error('no database');
  const client = new pg.Client({ connectionString: server.connectionString('owner') });
  await client.connect();
  try {
    await client.query(
      `insert into purpose (description, status, hierarchy_id, supplier_id)
       select 'large ' || n || ' ' || repeat(md5(n::text), 8), 'IN_PROGRESS',
         (select id from hierarchy order by id offset n % 3 limit 1), (select id from supplier order by id offset n % 3 limit 1)
       from generate_series(1, $1::int) n`,
      [PURPOSES],
    );
    await client.query(
      `insert into purchase (purpose_id) select id from purpose where description like 'large %'`,
    );
    await client.query(
      `insert into stage (purchase_id, stage_type_id, priority)
       select p.id, (select id from stage_type order by id limit 1), level
       from purchase p join purpose o on o.id = p.purpose_id and o.description like 'large %', generate_series(1, 4) level`,
    );
  } finally {
    await client.end();
  }
}

async function upload(token: string, number: number): Promise<void> {
  const body = new FormData();
  const content = Buffer.from(`file ${number}\n`.repeat(4000 + number));
  body.append('file', new Blob([content], { type: 'text/plain' }), `large-${number}.txt`);
  const response = await fetch(`${system.url}/api/v1/files/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body,
  });
  if (response.status >= 300) throw new Error(`${response.status}: ${await response.text()}`);
}

test(`${PURPOSES} purposes with ${FILES} files are drilled, every row and every file of them, in less than five minutes`, async () => {
  const token = await adminToken(data);
  await fillIn();
  for (let number = 0; number < FILES; number += 10) {
    await Promise.all(Array.from({ length: 10 }, async (_, index) => upload(token, number + index)));
  }
  expect(await typed(data, 'backup', 'create')).toMatchObject({ exitCode: 0 });
  const started = performance.now();
  const drilled = await typed(data, 'drill');
  const ms = performance.now() - started;
  process.stderr.write(`${drilled.said}\nThe drill took ${(ms / 1000).toFixed(1)} s.\n`);
  expect(drilled).toMatchObject({ exitCode: 0, said: expect.stringContaining(': passed') });
  expect(drilled.said).toMatch(/contents: \d+ tables with \d+ rows/);
  expect(ms).toBeLessThan(LONGEST_MS);
});
