import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ProbeEvent, probeEvent } from '../../journey/probe-events.ts';
import { calculaud } from '../../testing/command-line.ts';
import { startTestServer, type TestServer } from '../../testing/server.ts';

let server: TestServer;
let folder: string;
beforeAll(async () => {
  server = await startTestServer();
  folder = mkdtempSync(join(tmpdir(), 'calculaud-probe-'));
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

/** As the deployment runs it: orders on standard input, events on standard output. */
function start(...args: string[]): { child: ChildProcessWithoutNullStreams; said: () => string } {
  const program = join(import.meta.dirname, '../../main.ts');
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), program, 'probe', '--json', ...args],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'] },
    },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  return { child, said: () => said };
}

async function run(
  args: readonly string[],
  onEvent: (event: ProbeEvent, child: ChildProcessWithoutNullStreams) => void,
) {
  const { child, said } = start(...args);
  child.stdin.write(`${JSON.stringify({ token: server.token })}\n`);
  const events: ProbeEvent[] = [];
  const ended = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout })) {
    const event = probeEvent.parse(JSON.parse(line));
    events.push(event);
    onEvent(event, child);
  }
  await ended;
  return {
    exitCode: child.exitCode,
    events,
    said: said(),
    summary: events.find((event) => event.event === 'summary'),
  };
}

test('token and marks come on standard input, whose end is the end', async () => {
  let windows = 0;
  const { exitCode, summary, events, said } = await run(
    ['--target', `gateway=${server.url}`, '--rate', '40', '--upload-seconds', '0.5'],
    (event, child) => {
      if (event.event !== 'window') return;
      windows += 1;
      if (windows === 3) child.stdin.write('{"mark":"switch"}\nnonsense\n');
      if (windows === 6) child.stdin.end();
    },
  );
  expect(exitCode, `it said: ${said}`).toBe(0);
  expect(events[0]).toMatchObject({ event: 'started' });
  expect(Object.keys(summary?.phases ?? {})).toEqual(['before', 'switch']);
  expect(summary).toMatchObject({ failed: 0, writes: { lost: 0, doubled: 0, verified: true } });
  expect(said).toContain('none failed');
  expect(said).toContain('ignored: nonsense');
});

test('it ends by itself after its duration, and says so when something failed', async () => {
  const { exitCode, summary } = await run(
    ['--target', `gateway=${server.url}`, '--duration', '0.5', '--upload-seconds', '0'],
    (event) => {
      if (event.event === 'started') void server.database.pool.query('delete from purpose');
    },
  );
  expect(summary?.failed).toBeGreaterThan(0);
  expect(exitCode).toBe(2);
});

test('who is interrupted cleans up', async () => {
  let windows = 0;
  const { exitCode, summary } = await run(['--target', `gateway=${server.url}`], (event, child) => {
    if (event.event !== 'window') return;
    windows += 1;
    if (windows === 1) child.kill('SIGINT');
  });
  expect(exitCode).toBe(0);
  expect(summary?.writes.verified).toBe(true);
  const { rows } = await server.database.pool.query('select description from purpose');
  expect(rows).toEqual([]);
});

test('two versions are compared, with the memory of each', async () => {
  const management = new URL(server.managementUrl).port;
  let memory = 0;
  const { exitCode, events, said } = await run(
    [
      '--side-by-side',
      '--rate=20',
      '--warm-up=5',
      `--management-port=${management}`,
      '--target',
      `old=${server.url}`,
      `new=${server.url}`,
    ],
    (event, child) => {
      if (event.event === 'memory') memory += 1;
      if (event.event === 'window' && event.pairs.length > 0 && memory >= 2) child.stdin.end();
    },
  );
  expect(exitCode, `it said: ${said}`).toBe(0);
  const readings = events.filter((event) => event.event === 'memory');
  expect(new Set(readings.map(({ target }) => target))).toEqual(new Set(['old', 'new']));
});

test.each([
  [['--target', 'gateway'], 'is no name=value'],
  [['--target', 'gateway=ftp://x'], 'ftp://x is no URL'],
  [['--target', 'a=http://x', 'b=http://y'], 'there is one'],
  [['--target', 'a=http://x', 'b=http://y', '--side-by-side'], 'old=… and new=…'],
  [['--target', 'a=http://x', '--rate', '0'], '--rate'],
])('%j is refused', async (line, reason) => {
  const { exitCode, stderr } = await calculaud(['probe', ...line], { CALCULAUD_API_TOKEN: 'cal_x' });
  expect({ exitCode, stderr }).toEqual({ exitCode: 3, stderr: expect.stringContaining(reason) });
});

test('without a token, or with one that nobody knows, it does not begin', async () => {
  const { child, said } = start('--target', `gateway=${server.url}`);
  child.stdin.end();
  await once(child, 'close');
  expect(child.exitCode).toBe(3);
  expect(said()).toContain('CALCULAUD_API_TOKEN');
  const unknown = await calculaud(['probe', '--target', `gateway=${server.url}`], {
    CALCULAUD_API_TOKEN: 'cal_x',
  });
  expect(unknown).toMatchObject({ exitCode: 3, stderr: expect.stringContaining('status 401') });
});
