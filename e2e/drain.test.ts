import { once } from 'node:events';
import { Agent, type IncomingMessage, request as open } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { adminToken, newDataDirectory, removeDataDirectory, startSystem, type System } from './system.ts';

/** A stop in the middle of traffic, as a load balancer sees it that asks for readiness twice before it believes it. */

const CHECK_MS = 200;
const CHECKS = 2;
const NOTICE = { CALCULAUD_DRAIN_NOTICE_MS: '1500', CALCULAUD_DRAIN_TIMEOUT_MS: '30000' };
const CLIENTS_OF_A_KIND = 4;

let directory: string;
beforeEach(() => {
  directory = newDataDirectory();
});
afterEach(() => removeDataDirectory(directory));

interface Outcome {
  /** Of the answer, or the code of the failure. */
  readonly result: number | string;
  readonly connection: string | undefined;
}

interface Call {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly agent: Agent | false;
}

async function call(url: string, { method = 'GET', headers = {}, body, agent }: Call): Promise<Outcome> {
  return new Promise((resolve) => {
    const request = open(url, { method, agent, headers }, (response) => {
      const { statusCode: result = 0, headers: answered } = response;
      response.resume().once('close', () => {
        resolve(
          response.complete
            ? { result, connection: answered.connection }
            : { result: 'cut off', connection: undefined },
        );
      });
    });
    request.once('error', (error: NodeJS.ErrnoException) =>
      resolve({ result: error.code ?? error.message, connection: undefined }),
    );
    request.end(body);
  });
}

/** Resolves when readiness was red so often in a row. */
async function noticed(system: System): Promise<void> {
  for (let red = 0; red < CHECKS; ) {
    const { result } = await call(`${system.managementUrl}/health/ready`, { agent: false });
    red = result === 200 ? 0 : red + 1;
    await pause(CHECK_MS);
  }
}

/** Reads and writes by clients of both kinds, until readiness was red for long enough; `stop` comes in between. */
async function trafficThroughStop(environment: Record<string, string>) {
  const system = await startSystem(directory, { CALCULAUD_DEMO: '0', ...environment });
  const token = await adminToken(directory);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const outcomes: Outcome[] = [];
  const enough = new AbortController();
  const clients = Array.from({ length: 2 * CLIENTS_OF_A_KIND }, async (_, client) => {
    const agent = client % 2 === 0 ? false : new Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = 0; !enough.signal.aborted; turn += 1) {
      const write =
        turn % 4 === 0
          ? { method: 'POST', body: JSON.stringify({ name: `supplier ${client}.${turn}` }) }
          : {};
      outcomes.push(await call(`${system.url}/api/v1/suppliers`, { headers, agent, ...write }));
    }
    if (agent) agent.destroy();
  });
  await expect.poll(() => outcomes.length).toBeGreaterThan(50);
  const before = outcomes.length;
  const ended = system.stop();
  await noticed(system);
  enough.abort();
  await Promise.all(clients);
  return { outcomes, duringStop: outcomes.slice(before), exitCode: await ended };
}

const failures = (outcomes: readonly Outcome[]) =>
  outcomes.filter(({ result }) => result !== 200 && result !== 201).map(({ result }) => result);

test('every request of kept and of new connections is answered until the load balancer has noticed', async () => {
  const { outcomes, duringStop, exitCode } = await trafficThroughStop(NOTICE);
  expect({ failures: failures(outcomes), exitCode }).toEqual({ failures: [], exitCode: 0 });
  expect(duringStop.length).toBeGreaterThan(50);
  expect(duringStop.at(-1)?.connection).toBe('close');
});

test('without a notice requests fail: the test above can tell', async () => {
  const { outcomes } = await trafficThroughStop({ ...NOTICE, CALCULAUD_DRAIN_NOTICE_MS: '0' });
  expect(failures(outcomes)).toContain('ECONNREFUSED');
});

test('an upload that has begun is finished after the last new connection was refused', async () => {
  const system = await startSystem(directory, { CALCULAUD_DEMO: '0', ...NOTICE });
  const token = await adminToken(directory);
  const half = Buffer.alloc(256 * 1024, 'x');
  const [head, tail] = [
    '--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\ncontent-type: text/plain\r\n\r\n',
    '\r\n--b--\r\n',
  ];
  const upload = open(`${system.url}/api/v1/files/upload`, {
    method: 'POST',
    agent: false,
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'multipart/form-data; boundary=b',
      'content-length': head.length + 2 * half.length + tail.length,
    },
  });
  const answered = once(upload, 'response');
  upload.write(head);
  await new Promise((resolve) => upload.write(half, resolve));
  const ended = system.stop();
  await expect
    .poll(async () => (await call(`${system.url}/`, { agent: false })).result, { timeout: 10_000 })
    .toBe('ECONNREFUSED');
  upload.write(half);
  upload.end(tail);
  const [response]: IncomingMessage[] = await answered;
  response?.resume();
  expect({ status: response?.statusCode, exitCode: await ended }).toEqual({ status: 201, exitCode: 0 });
});
