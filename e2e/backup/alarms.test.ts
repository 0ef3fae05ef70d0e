import { setTimeout as wait } from 'node:timers/promises';
import { join } from 'node:path';
import { readStatus } from '@calculaud/backup/service/status';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  adminToken,
  full,
  newDataDirectory,
  removeDataDirectory,
  startSystem,
  type System,
} from '../system.ts';
import { typedWith } from './command.ts';

/** Where nothing is wrong nothing is said: an alarm that comes for nothing is not looked at when it matters. */

const RUNS = full ? 100 : 3;

let data: string;
let system: System;
let token: string;
beforeAll(async () => {
  data = newDataDirectory();
  system = await startSystem(data);
  token = await adminToken(data);
}, 120_000);
afterAll(async () => {
  await system.stop();
  removeDataDirectory(data);
});

async function enter(description: string): Promise<number> {
  const response = await fetch(`${system.url}/api/v1/purposes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ description }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Some people at work at a time, more in some runs and nobody in others, until it is over. */
async function load(run: number, over: AbortSignal): Promise<readonly number[]> {
  const writer = async (who: number): Promise<number[]> => {
    const answers: number[] = [];
    while (!over.aborted) {
      answers.push(await enter(`run ${run}, ${who}: ${'words '.repeat((run * 7) % 50)}`));
      await wait(1 + ((run * who) % 20));
    }
    return answers;
  };
  return (await Promise.all(Array.from({ length: run % 4 }, async (_, who) => writer(who)))).flat();
}

test(`${RUNS} runs under a load that changes: no alert, and every command ends well`, async () => {
  const alarms: string[] = [];
  let entered = 0;
  for (let run = 1; run <= RUNS; run += 1) {
    const over = new AbortController();
    const loading = load(run, over.signal);
    for (const line of ['backup create', 'backup verify', 'backup list', 'backup status']) {
      const { exitCode, said } = await typedWith({ CALCULAUD_DATA: data }, ...line.split(' '));
      if (exitCode !== 0) alarms.push(`run ${run}, ${line}: ${exitCode}\n${said}`);
    }
    const report = await fetch(`${system.managementUrl}/backup`);
    if (report.status !== 200) alarms.push(`run ${run}: ${await report.text()}`);
    over.abort();
    const answers = await loading;
    entered += answers.length;
    expect(answers.filter((status) => status !== 201)).toEqual([]);
  }
  expect(alarms).toEqual([]);
  const status = await readStatus(join(data, 'backup-work'));
  expect(status?.repositories).toMatchObject([{ trouble: null, corrupt: [], gapsSinceBase: 0 }]);
  process.stderr.write(`${RUNS} runs, ${entered} purposes entered, no alarm\n`);
}, 3_600_000);
