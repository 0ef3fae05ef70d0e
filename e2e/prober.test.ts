import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { HttpClient } from '../apps/cli/src/host/http-client.ts';
import {
  type FaultyProxy,
  type PassingRequest,
  startFaultyProxy,
} from '../apps/cli/src/testing/faulty-proxy.ts';
import { startTestServer, type TestServer } from '../apps/cli/src/testing/server.ts';
import {
  addedP99,
  type ProbeEvent,
  type ProbeOrder,
  type ProbeSummary,
  probeEvent,
  probeOrder,
} from '../apps/cli/src/journey/probe-events.ts';
import { probe } from '../apps/cli/src/journey/prober.ts';

let server: TestServer;
let proxy: FaultyProxy;
beforeAll(async () => {
  server = await startTestServer();
  proxy = await startFaultyProxy(server.url);
});
afterEach(async () => {
  proxy.fault = () => undefined;
  await server.database.pool.query('delete from purpose');
});
afterAll(async () => {
  await proxy.close();
  await server.close();
});

/** Gives orders when they are due. */
class Orders {
  readonly #stream = new PassThrough({ objectMode: true });

  give(order: ProbeOrder): void {
    this.#stream.write(order);
  }

  end(): void {
    this.#stream.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ProbeOrder> {
    for await (const order of this.#stream) yield probeOrder.parse(order);
  }
}

interface Probing {
  readonly orders?: (orders: Orders, event: ProbeEvent) => void;
  readonly rate?: number;
  readonly requests?: number;
  readonly uploadSeconds?: number;
  readonly timeoutMs?: number;
}

/** Ends after so many requests, whatever the machine does meanwhile. */
async function probing({
  orders: order,
  rate = 100,
  requests = 100,
  uploadSeconds = 0,
  timeoutMs = 5000,
}: Probing = {}) {
  const events: ProbeEvent[] = [];
  const orders = new Orders();
  const sender = new HttpClient({ url: proxy.url });
  let sent = 0;
  const target = {
    name: 'gateway',
    url: proxy.url,
    http2: false,
    sender: {
      send: (request: Parameters<HttpClient['send']>[0]) => {
        sent += 1;
        if (sent === requests && !order) orders.end();
        return sender.send(request);
      },
    },
  };
  const summary = await probe(target, {
    prefix: '/api/v1',
    token: server.token,
    run: `test${Math.round(performance.now())}`,
    rate,
    windowMs: 100,
    timeoutMs,
    uploadSeconds,
    orders,
    emit: (event) => {
      events.push(probeEvent.parse(event));
      order?.(orders, event);
    },
  });
  await sender.close();
  const failures = events.filter((event) => event.event === 'failure');
  return { summary, events, failures };
}

async function purposes(): Promise<number> {
  const { rows } = await server.database.pool.query<{ n: number }>('select count(*)::int as n from purpose');
  return rows[0]?.n ?? -1;
}

const isWrite = ({ method, path }: PassingRequest) => method === 'POST' && path === '/api/v1/purposes/';
/** The first few are the prober's own, without which it does not begin. */
function everyNth(n: number, skip: number, matches: (request: PassingRequest) => boolean) {
  let seen = 0;
  return (request: PassingRequest) => matches(request) && (seen += 1) > skip && (seen - skip) % n === 0;
}

test('on a system that works nothing fails, every write is there once, and nothing is left', async () => {
  const { summary, events, failures } = await probing({ requests: 200, uploadSeconds: 0.3 });
  expect(failures).toEqual([]);
  expect(summary).toMatchObject({ failed: 0, more_failures: 0, failures: [] });
  expect(summary.sent).toBeGreaterThanOrEqual(150);
  expect(summary.writes.sent).toBeGreaterThan(10);
  expect(summary.writes).toMatchObject({
    acknowledged: summary.writes.sent,
    repeated: 0,
    lost: 0,
    doubled: 0,
    verified: true,
  });
  expect(summary.uploads.sent).toBeGreaterThan(1);
  expect(Object.keys(summary.kinds).toSorted()).toEqual([
    'change',
    'create',
    'get',
    'list',
    'search',
    'suppliers',
    'tree',
    'upload',
  ]);
  expect(await purposes()).toBe(0);
  const windows = events.filter((event) => event.event === 'window');
  const inWindows = windows.reduce((sum, window) => sum + (window.targets['gateway']?.sent ?? 0), 0);
  expect(inWindows).toBe(summary.sent);
  expect(summary.slowest[0]?.ms).toBeCloseTo(
    Math.max(...Object.values(summary.phases).map(({ max_ms }) => max_ms ?? 0)),
    0,
  );
});

test('requests go at their rate, however slow the answers are', async () => {
  proxy.fault = ({ method }) => (method === 'GET' ? { kind: 'delay', ms: 700 } : undefined);
  const { summary } = await probing({
    rate: 80,
    orders: (orders, event) => event.event === 'window' && event.at_ms > 2000 && orders.give({ stop: true }),
  });
  // One after the other it would have been four or so.
  expect(summary.sent).toBeGreaterThan(100);
  expect(summary.phases['before']?.p50_ms).toBeGreaterThan(700);
});

test('every failure is told with what came, at once and in the summary', async () => {
  const fifth = everyNth(5, 0, ({ path }) => path.includes('/suppliers/'));
  proxy.fault = (request) =>
    fifth(request) ? { kind: 'answer', status: 503, body: 'nobody is ready' } : undefined;
  const { summary, failures } = await probing({ requests: 200 });
  expect(failures.length).toBeGreaterThan(2);
  expect(summary.failed).toBe(failures.length);
  expect(failures[0]).toMatchObject({
    kind: 'suppliers',
    what: 'status 503',
    status: 503,
    body: 'nobody is ready',
    phase: 'before',
  });
  expect(summary.failures).toEqual(failures.map(({ event: _, ...failure }) => failure));
  expect(summary.writes).toMatchObject({ lost: 0, doubled: 0, verified: true });
});

test.each([
  ['resets', { kind: 'reset' }, 'reset'],
  ['answers that do not come', { kind: 'delay', ms: 3000 }, 'time-out'],
] as const)('%s are failures', async (_, fault, what) => {
  const third = everyNth(3, 0, ({ path }) => path.includes('/hierarchies/'));
  proxy.fault = (request) => (third(request) ? fault : undefined);
  const { failures } = await probing({ requests: 100, timeoutMs: 1000 });
  expect(failures.length).toBeGreaterThan(0);
  expect(new Set(failures.map((failure) => failure.what))).toEqual(new Set([what]));
});

test('a write whose answer was lost is sent again with its key, and is there once', async () => {
  const some = everyNth(3, 5, isWrite);
  let over = false;
  proxy.fault = (request) => (!over && some(request) ? { kind: 'lose the answer' } : undefined);
  const { summary, failures } = await probing({
    orders: (orders, event) => {
      if (event.event !== 'window' || event.at_ms < 1500) return;
      over = true;
      orders.end();
    },
  });
  expect(failures.length).toBeGreaterThan(0);
  expect(failures.every(({ kind, what }) => kind === 'create' && what === 'reset')).toBe(true);
  expect(summary.writes).toMatchObject({ repeated: failures.length, lost: 0, doubled: 0, verified: true });
  expect(await purposes()).toBe(0);
});

test('a write that was acknowledged and never done is lost', async () => {
  const some = everyNth(4, 5, isWrite);
  proxy.fault = (request) => (some(request) ? { kind: 'answer', status: 201, body: '{"id":1}' } : undefined);
  const { summary } = await probing({ requests: 200 });
  expect(summary.failed).toBe(0);
  expect(summary.writes.lost).toBeGreaterThan(0);
});

test('a write that was done twice is doubled', async () => {
  const some = everyNth(4, 5, isWrite);
  proxy.fault = (request) => (some(request) ? { kind: 'repeat' } : undefined);
  const { summary } = await probing({ requests: 200 });
  expect(summary.failed).toBe(0);
  expect(summary.writes).toMatchObject({ lost: 0, verified: true });
  expect(summary.writes.doubled).toBeGreaterThan(0);
  expect(await purposes()).toBe(0);
});

test('what nobody could look at in the end is not said to be fine', async () => {
  let over = false;
  proxy.fault = () => (over ? { kind: 'answer', status: 503, body: 'gone' } : undefined);
  const { summary, failures } = await probing({
    orders: (orders, event) => {
      if (event.event !== 'window' || event.at_ms < 500) return;
      over = true;
      orders.end();
    },
  });
  expect(summary.writes.verified).toBe(false);
  expect(failures.at(-1)).toMatchObject({ kind: 'settle', status: 503 });
});

test('figures are told apart by the marks: before, during and after a switch that slows everything down', async () => {
  let slow = false;
  proxy.fault = () => (slow ? { kind: 'delay', ms: 700 } : undefined);
  let given = 0;
  const { summary, events } = await probing({
    uploadSeconds: 1.5,
    orders: (orders, event) => {
      if (event.event !== 'window') return;
      const due = [
        () => {
          slow = true;
          orders.give({ mark: 'switch' });
        },
        () => {
          slow = false;
          orders.give({ mark: 'after' });
        },
        () => orders.end(),
      ][given];
      if (event.at_ms > (given + 1) * 1000 && due) {
        given += 1;
        due();
      }
    },
  });
  expect(Object.keys(summary.phases)).toEqual(['before', 'switch', 'after']);
  expect(summary.phases['switch']?.p50_ms).toBeGreaterThan(690);
  expect(summary.phases['before']?.p50_ms).toBeLessThan(690);
  expect(events.filter((event) => event.event === 'mark').map(({ phase }) => phase)).toEqual([
    'switch',
    'after',
  ]);
  const added = addedP99(summary);
  expect(added).toBeGreaterThan(100);
  expect(added).toBe(
    Math.max(summary.phases['switch']?.p99_ms ?? 0, summary.phases['after']?.p99_ms ?? 0) -
      (summary.phases['before']?.p99_ms ?? 0),
  );
  expect(summary.uploads).toMatchObject({ failed: 0 });
  expect(summary.uploads.over_switch).toBeGreaterThan(0);
});

test('an upload that breaks off is a failure', async () => {
  proxy.fault = ({ path }) => (path.endsWith('/files') ? { kind: 'reset' } : undefined);
  const { summary, failures } = await probing({ requests: 60, uploadSeconds: 0.2 });
  expect(summary.uploads.failed).toBeGreaterThan(0);
  expect(failures.every(({ kind }) => kind === 'upload')).toBe(true);
});

test('without a phase to compare with there is no added time', () => {
  const figures = { sent: 1, failed: 0, p50_ms: 1, p99_ms: 2, max_ms: 3 };
  const of = (phases: ProbeSummary['phases']) => addedP99({ phases });
  expect(of({ before: figures })).toBeNull();
  expect(of({ switch: figures })).toBeNull();
  expect(
    of({ before: figures, switch: { ...figures, p99_ms: 1 }, after: { ...figures, p99_ms: null } }),
  ).toBe(-1);
});

test('a server that is not there is told before anything begins', async () => {
  const gone = await startFaultyProxy(server.url);
  await gone.close();
  const sender = new HttpClient({ url: gone.url });
  const orders = new Orders();
  const options = {
    prefix: '/api/v1',
    token: 'x',
    run: 'gone',
    rate: 1,
    windowMs: 100,
    timeoutMs: 500,
    uploadSeconds: 0,
    orders,
  };
  const target = { name: 'gateway', url: gone.url, http2: false, sender };
  await expect(probe(target, { ...options, emit: () => undefined })).rejects.toThrow('came refused');
  await sender.close();
  orders.end();
});
