import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readStatus } from '@calculaud/backup/service/status';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { adminToken, newDataDirectory, removeDataDirectory, startSystem, type System } from '../system.ts';
import { typed } from './command.ts';

/** Back to a moment, forth again, and on: each life of the database keeps what was entered in it. */

let data: string;
let system: System | undefined;
let token: string;
beforeAll(async () => {
  data = newDataDirectory();
  await start();
  token = await adminToken(data);
});
afterAll(async () => {
  await system?.stop();
  removeDataDirectory(data);
});

async function start(): Promise<void> {
  system = await startSystem(data);
}

async function stop(): Promise<void> {
  await system?.stop();
  system = undefined;
}

async function enter(...descriptions: readonly string[]): Promise<void> {
  for (const description of descriptions) {
    const response = await fetch(`${system?.url}/api/v1/purposes`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ description: `life ${description}` }),
    });
    expect(response.status).toBe(201);
  }
}

async function entered(): Promise<string[]> {
  const response = await fetch(`${system?.url}/api/v1/purposes?limit=200&search=life`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const found = (await response.text()).match(/life \w+/g) ?? [];
  return [...new Set(found)].map((text) => text.slice(5)).toSorted();
}

/** All that was entered is in the repository. */
async function shipped(): Promise<void> {
  const begin = Date.now();
  for (; Date.now() - begin < 60_000; await wait(100)) {
    const [kept] = (await readStatus(join(data, 'backup-work')))?.repositories ?? [];
    if (kept?.base && kept.logComplete && kept.logComplete.getTime() > begin) return;
  }
  throw new Error(`the log did not come:\n${system?.output()}`);
}

test('a restore is undone, and what is entered after it is the latest', async () => {
  await shipped();
  await enter('one', 'two');
  await wait(1100);
  const moment = new Date().toISOString();
  await enter('three');
  await shipped();
  expect(await typed(data, 'restore', 'undo', '--yes')).toMatchObject({
    exitCode: 3,
    said: expect.stringContaining('Stop it first'),
  });
  await stop();
  expect(await typed(data, 'restore', 'undo', '--yes')).toMatchObject({
    exitCode: 3,
    said: expect.stringContaining('nothing to undo'),
  });

  expect(await typed(data, 'restore', '--to', moment, '--yes')).toMatchObject({
    exitCode: 0,
    said: expect.stringContaining('calculaud restore undo'),
  });
  await start();
  expect(await entered()).toEqual(['one', 'two']);
  await enter('beside');
  await shipped();
  await stop();

  expect(await typed(data, 'restore', 'undo', '--dry-run')).toMatchObject({ exitCode: 2 });
  expect(await typed(data, 'restore', 'undo', '--yes')).toEqual({ exitCode: 0, said: expect.any(String) });
  await start();
  expect(await entered()).toEqual(['one', 'three', 'two']);
  await enter('four');
  await shipped();
  await stop();

  // The newest life, from the repository alone.
  rmSync(join(data, 'postgres'), { recursive: true });
  rmSync(join(data, 'backup-work', 'wal'), { recursive: true });
  expect(await typed(data, 'restore', '--to', 'latest', '--yes')).toMatchObject({ exitCode: 0 });
  await start();
  expect(await entered()).toEqual(['four', 'one', 'three', 'two']);
});
