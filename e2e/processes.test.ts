import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { connectEmbedded } from '@calculaud/embedded/supervisor';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newDataDirectory, removeDataDirectory, repository, startSystem, type System } from './system.ts';

/** API and worker as processes of their own, against a database that they do not manage. */

let directory: string;
let system: System;
let databaseUrl: string;

beforeAll(async () => {
  directory = newDataDirectory();
  system = await startSystem(directory, { CALCULAUD_DEMO: '0' });
  databaseUrl = (await connectEmbedded(directory))?.connectionString('app') ?? '';
});
afterAll(async () => {
  await system.stop();
  removeDataDirectory(directory);
});

test('the whole system stops within the drain timeout, with an exit code of 0', async () => {
  const own = newDataDirectory();
  const running = await startSystem(own, { CALCULAUD_DEMO: '0' });
  const begin = performance.now();
  expect(await running.stop()).toBe(0);
  expect(performance.now() - begin).toBeLessThan(10_000);
  removeDataDirectory(own);
});

test.each(['api', 'worker'])('%s runs alone until SIGTERM and ends with 0', async (program) => {
  const child = spawn('sh', ['scripts/run.sh', program], {
    cwd: repository,
    env: {
      PATH: process.env['PATH'],
      CALCULAUD_DATA: directory,
      DATABASE_URL: databaseUrl,
      PORT: '0',
      MANAGEMENT_PORT: '0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const signOfLife = program === 'api' ? /Server listening/ : /"name":"worker"/;
  while (!signOfLife.test(output) && child.exitCode === null) {
    const [chunk] = await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')]);
    output += String(chunk);
  }
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  expect({ exit: await exited, output }).toMatchObject({ exit: [0, null] });
});

/** Starts a program that is to refuse its start; what it said, and the code it ended with. */
async function refusalOf(program: string, environment: Record<string, string>) {
  const child = spawn('sh', ['scripts/run.sh', program], {
    cwd: repository,
    env: { PATH: process.env['PATH'], PORT: '0', MANAGEMENT_PORT: '0', ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let message = '';
  child.stderr.on('data', (chunk: Buffer) => {
    message += chunk.toString();
  });
  const [code] = await once(child, 'close');
  return { code, message };
}

test('the worker says on its management port that it is ready, and which build it is', async () => {
  const port = await freePort();
  const child = spawn('sh', ['scripts/run.sh', 'worker'], {
    cwd: repository,
    env: {
      PATH: process.env['PATH'],
      CALCULAUD_DATA: directory,
      DATABASE_URL: databaseUrl,
      MANAGEMENT_PORT: String(port),
      CALCULAUD_COMMIT: '0a1b2c3',
      LOG_LEVEL: 'silent',
    },
    stdio: 'ignore',
  });
  const ready = async () =>
    fetch(`http://127.0.0.1:${port}/health/ready`).then(
      async (response) => ({ status: response.status, body: await response.json() }),
      () => undefined,
    );
  await expect
    .poll(ready, { timeout: 20_000 })
    .toMatchObject({ status: 200, body: { status: 'pass', commit: '0a1b2c3' } });
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exited).toEqual([0, null]);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

test.each(['PORT', 'MANAGEMENT_PORT'])('with a %s that is used nothing is prepared', async (variable) => {
  const own = newDataDirectory();
  const port = new URL(system.url).port;
  const refusal = await refusalOf('start', { CALCULAUD_DATA: own, [variable]: port });
  expect(refusal).toMatchObject({
    code: 3,
    message: expect.stringMatching(new RegExp(`Port ${port} on 127.0.0.1 is used .*Set ${variable} to`)),
  });
  expect(readdirSync(own)).toEqual([]);
  removeDataDirectory(own);
});

test.each(['start', 'api', 'worker'])('%s refuses a data folder that cannot be made', async (program) => {
  const database: Record<string, string> = program === 'start' ? {} : { DATABASE_URL: databaseUrl };
  const refusal = await refusalOf(program, { CALCULAUD_DATA: '/proc/calculaud', ...database });
  expect(refusal).toMatchObject({
    code: 3,
    message: expect.stringContaining('The data folder /proc/calculaud cannot be written'),
  });
});

test.each(['api', 'worker'])(
  '%s without a database says what to do, and changes nothing',
  async (program) => {
    expect(await refusalOf(program, { CALCULAUD_DATA: directory })).toMatchObject({
      code: 3,
      message: expect.stringContaining('DATABASE_URL'),
    });
  },
);
