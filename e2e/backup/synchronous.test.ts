import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readStatus } from '@calculaud/backup/service/status';
import { afterEach, expect, test } from 'vitest';
import {
  adminToken,
  calculaud,
  full,
  newDataDirectory,
  removeDataDirectory,
  startSystem,
  type System,
} from '../system.ts';

/** With CALCULAUD_BACKUP_SYNCHRONOUS nothing is acknowledged before the backup has it, too. */

const ROUNDS = full ? 10 : 2;
const WRITERS = 8;

let data = '';
let system: System | undefined;
afterEach(async () => {
  await system?.stop();
  removeDataDirectory(data);
});

test(`SIGKILL of everything under load and removal of the database, ${ROUNDS} times: nothing acknowledged is lost`, async () => {
  data = newDataDirectory();
  system = await start();
  const token = await adminToken(data);
  await until('the first backup', async () => (await readStatus(work()))?.repositories[0]?.base);
  const acknowledged: string[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const before = acknowledged.length;
    const load = write(system.url, token, `round ${round}`, acknowledged);
    await until('some load', async () =>
      acknowledged.length >= before + 100 + 37 * round ? true : undefined,
    );
    killAll(system);
    await load;
    await system.kill();
    expect(acknowledged.length).toBeGreaterThan(before + 100);
    rmSync(join(data, 'postgres'), { recursive: true });

    await calculaud(data, 'restore', '--to', 'latest', '--yes');
    system = await start();
    const there = await descriptions(system.url, token);
    expect(acknowledged.filter((description) => !there.has(description))).toEqual([]);
  }
  process.stderr.write(`${ROUNDS} disasters, ${acknowledged.length} acknowledged purposes, none lost\n`);
});

test('while nobody receives the log, nothing is acknowledged; it goes on by itself when somebody does', async () => {
  data = newDataDirectory();
  system = await start();
  const token = await adminToken(data);
  const { pid } = system.process;
  const receiver = childrenOf(pid).find((child) => commandOf(child).includes('--with-parent'));
  if (receiver === undefined) throw new Error('no backup process');
  process.kill(receiver, 'SIGSTOP');
  const one = post(system.url, token, 'waits');
  await expect(Promise.race([one, wait(1500, 'nothing yet')])).resolves.toBe('nothing yet');
  process.kill(receiver, 'SIGCONT');
  expect(await one).toBe(201);
});

const work = () => join(data, 'backup-work');

async function start(): Promise<System> {
  return startSystem(data, { CALCULAUD_BACKUP_SYNCHRONOUS: 'true' });
}

async function post(url: string, token: string, description: string): Promise<number> {
  const response = await fetch(`${url}/api/v1/purposes`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ description }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Until the system is gone. */
async function write(url: string, token: string, name: string, acknowledged: string[]): Promise<void> {
  const writer = async (number: number) => {
    for (let count = 1; ; count += 1) {
      const description = `${name}, ${number}.${count}`;
      const status = await post(url, token, description).catch(() => undefined);
      if (status === undefined) return;
      if (status === 201) acknowledged.push(description);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, async (_, number) => writer(number)));
}

async function descriptions(url: string, token: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let page = 1; ; page += 1) {
    const response = await fetch(`${url}/api/v1/purposes?limit=200&page=${page}&search=round`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const texts = (await response.text()).match(/round \d+, \d+\.\d+/g) ?? [];
    for (const text of texts) found.add(text);
    if (texts.length === 0) return found;
  }
}

/** The server of the API, the backup service and the database, at once. */
function killAll({ process: child }: System): void {
  const postmaster = Number(readFileSync(join(data, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);
  for (const pid of [...childrenOf(child.pid), postmaster, child.pid ?? 0]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }
}

function childrenOf(pid: number | undefined): number[] {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return listed === '' ? [] : listed.split(' ').map(Number);
}

function commandOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
}

/** Polls what another process does. */
async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = performance.now() + 60_000; performance.now() < deadline; await wait(50)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`${what} did not come:\n${system?.output()}`);
}
