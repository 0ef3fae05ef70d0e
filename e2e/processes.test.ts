import { spawn } from 'node:child_process';
import { once } from 'node:events';
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

test.each(['api', 'worker'])(
  '%s without a database says what to do, and changes nothing',
  async (program) => {
    const child = spawn('sh', ['scripts/run.sh', program], {
      cwd: repository,
      env: { PATH: process.env['PATH'], CALCULAUD_DATA: directory },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let message = '';
    child.stderr.on('data', (chunk: Buffer) => {
      message += chunk.toString();
    });
    const [code] = await once(child, 'close');
    expect({ code, message }).toMatchObject({ code: 3, message: expect.stringContaining('DATABASE_URL') });
  },
);
