import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listPurposes } from '@calculaud/contract/purposes';
import { afterAll, expect, test } from 'vitest';
import { z } from 'zod';
import { Random } from './generated/random.ts';
import {
  adminToken,
  full,
  newDataDirectory,
  removeDataDirectory,
  startSystem,
  type System,
} from './system.ts';

/**
 * The server, its PostgreSQL, or both are killed in the middle of writes, again and again. Every write that was
 * acknowledged must be there afterwards, and nobody may have to help. The number of the bar is 20.
 */

const rounds = full ? 20 : 4;
const created = z.object({ id: z.int() });
const random = new Random(20_261_123);
const directory = newDataDirectory();
let running: System | undefined;

afterAll(async () => {
  await running?.stop();
  removeDataDirectory(directory);
});

test(`${rounds} kills in the middle of writes lose nothing that was acknowledged`, async () => {
  running = await startSystem(directory, { CALCULAUD_DEMO: '0' });
  const authorization = `Bearer ${await adminToken(directory)}`;
  /** What the system said it has: purpose id → comments. */
  const acknowledged = new Map<number, string>();

  for (let round = 0; round < rounds; round += 1) {
    const victim = ['server', 'database', 'both'][round % 3];
    const before = acknowledged.size;
    const writers = Array.from({ length: 4 }, (_, writer) =>
      writeUntilRefused(running?.url ?? '', authorization, `${round}.${writer}`, acknowledged),
    );
    // Killed while writes are certainly under way, at another moment each time.
    await grownBy(acknowledged, before, 5 + random.below(60));
    const databasePid = postmasterOf(directory);
    if (victim !== 'server') {
      process.kill(databasePid, 'SIGKILL');
    }
    if (victim === 'database') {
      await Promise.all(writers);
      // Without a restart of the server and without anybody's help it serves again.
      await healthy(running);
    } else {
      await running.kill();
      await Promise.all(writers);
      running = await startSystem(directory, { CALCULAUD_DEMO: '0' });
    }
    await expectEverything(running.url, authorization, acknowledged);
  }
  console.log(`${rounds} kills, ${acknowledged.size} acknowledged purposes, none lost`);
});

async function writeUntilRefused(
  url: string,
  authorization: string,
  name: string,
  acknowledged: Map<number, string>,
): Promise<void> {
  for (let i = 0; ; i += 1) {
    try {
      const created = await send(`${url}/api/v1/purposes`, 'POST', authorization, { description: name });
      acknowledged.set(created, '');
      const comments = `${name} ${i}`;
      await send(`${url}/api/v1/purposes/${created}`, 'PATCH', authorization, { comments });
      acknowledged.set(created, comments);
      await send(`${url}/api/v1/purchases`, 'POST', authorization, {
        purpose_id: created,
        costs: [{ currency: 'ILS', amount: 10 }],
      });
    } catch {
      return;
    }
  }
}

/** The id of the answered record; anything but success is a refusal. */
async function send(url: string, method: string, authorization: string, body: object): Promise<number> {
  const response = await fetch(url, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) {
    throw new Error(`${response.status}`);
  }
  return created.parse(await response.json()).id;
}

async function grownBy(map: Map<number, string>, before: number, count: number): Promise<void> {
  while (map.size < before + count) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function postmasterOf(dataDirectory: string): number {
  return Number(readFileSync(join(dataDirectory, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);
}

async function healthy({ url, process: server, output }: System): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (server.exitCode === null && Date.now() < deadline) {
    if ((await fetch(`${url}/health`)).ok) {
      return;
    }
  }
  throw new Error(`the system did not recover from the death of its database:\n${output().slice(-3000)}`);
}

async function expectEverything(
  url: string,
  authorization: string,
  acknowledged: Map<number, string>,
): Promise<void> {
  const found = new Map<number, string | null>();
  let total = 0;
  for (let page = 1; ; page += 1) {
    const response = await fetch(`${url}/api/v1/purposes?limit=200&sort_by=id&sort_order=asc&page=${page}`, {
      headers: { authorization },
    });
    const list = listPurposes.success.body.parse(await response.json());
    total = list.total;
    for (const purpose of list.items) {
      found.set(purpose.id, purpose.comments);
      // A purchase is there with all its stages or not at all.
      for (const purchase of purpose.purchases) {
        expect(purchase.flow_stages).toHaveLength(9);
      }
    }
    if (!list.has_next) {
      break;
    }
  }
  expect(total).toBe(found.size);
  const lost = [...acknowledged].filter(([id, comments]) =>
    comments === '' ? !found.has(id) : found.get(id) !== comments,
  );
  expect(lost).toEqual([]);
}
