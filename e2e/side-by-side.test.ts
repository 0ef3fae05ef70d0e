import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { EvidenceLog } from '../apps/cli/src/deployment/evidence-log.ts';
import { HttpClient } from '../apps/cli/src/host/http-client.ts';
import { type FaultyProxy, startFaultyProxy } from '../apps/cli/src/testing/faulty-proxy.ts';
import { startTestServer, type TestServer } from '../apps/cli/src/testing/server.ts';
import { type ProbeEvent, type ProbeOrder, probeEvent } from '../apps/cli/src/journey/probe-events.ts';
import { probeSideBySide, type Side } from '../apps/cli/src/journey/side-by-side.ts';

// Pairs come at a steady rate, and slower on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 });

let server: TestServer;
let old: FaultyProxy;
let fresh: FaultyProxy;
beforeAll(async () => {
  server = await startTestServer();
  old = await startFaultyProxy(server.url);
  fresh = await startFaultyProxy(server.url);
});
afterEach(() => {
  old.fault = () => undefined;
  fresh.fault = () => undefined;
});
afterAll(async () => {
  await Promise.all([old.close(), fresh.close()]);
  await server.close();
});

/** Both sides lead to the same server, until so many pairs were compared. */
async function compare(
  pairs: number,
  { warmUp = 10, memoryEveryMs = 300, instances = (host: string): readonly string[] => [host] } = {},
) {
  const asked = new Map<string, number>();
  const events: ProbeEvent[] = [];
  const log = new EvidenceLog({ sideBySide: true, memory: true });
  let enough: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    enough = resolve;
  });
  async function* orders(): AsyncGenerator<ProbeOrder> {
    await ended;
    yield { stop: true };
  }
  const clients = [old.url, fresh.url].map((url) => new HttpClient({ url }));
  const plain = new HttpClient({ url: 'http://localhost' });
  const management = new URL(server.managementUrl).host;
  const side = (name: 'old' | 'new', index: number): Side => ({
    name,
    url: [old.url, fresh.url][index] ?? '',
    sender: {
      send: async (request) => {
        const { instance = '' } = request;
        asked.set(instance, (asked.get(instance) ?? 0) + 1);
        return (clients[index] ?? plain).send(request);
      },
    },
    http2: false,
    management,
  });
  const summary = await probeSideBySide(side('old', 0), side('new', 1), {
    prefix: '/api/v1',
    token: server.token,
    run: `side${Math.round(performance.now())}`,
    rate: 50,
    windowMs: 100,
    timeoutMs: 3000,
    warmUp,
    memoryEveryMs,
    instancesOf: async (url) => instances(new URL(url).host),
    plain,
    orders: orders(),
    emit: (event) => {
      const parsed = probeEvent.parse(event);
      events.push(parsed);
      log.probe(parsed);
      if ((log.evidence().sideBySide?.length ?? 0) >= pairs) enough();
    },
  });
  await Promise.all([...clients, plain].map((client) => client.close()));
  return { summary, events, evidence: log.evidence(), asked };
}

async function purposes(): Promise<number> {
  const { rows } = await server.database.pool.query<{ n: number }>('select count(*)::int as n from purpose');
  return rows[0]?.n ?? -1;
}

test('pairs of every kind are compared, none fails, and nothing is left', async () => {
  const { summary, events, evidence } = await compare(60);
  const pairs = evidence.sideBySide ?? [];
  expect(pairs.length).toBeGreaterThanOrEqual(60);
  expect(pairs.every((pair) => pair.old.ok && pair.new.ok && pair.old.ms > 0 && pair.new.ms > 0)).toBe(true);
  expect(new Set(pairs.map(({ kind }) => kind)).size).toBe(7);
  expect(summary).toMatchObject({ failed: 0, writes: { lost: 0, doubled: 0, verified: true } });
  expect(summary.targets['old']?.sent).toBe(pairs.length);
  // The pairs, and the warm-up.
  expect(summary.targets['new']?.sent).toBe(pairs.length + 10);
  expect(events[0]).toMatchObject({ event: 'started', targets: { old: old.url, new: fresh.url } });
  expect(await purposes()).toBe(0);
});

test('all servers of a side get as much as each other', async () => {
  const both = (host: string) => [host, host.replace('127.0.0.1', 'localhost')];
  const { asked } = await compare(60, { instances: both });
  for (const { host } of [new URL(old.url), new URL(fresh.url)]) {
    const [one = 0, other = 0] = both(host).map((instance) => asked.get(instance));
    expect(one).toBeGreaterThan(20);
    expect(Math.abs(one - other)).toBeLessThanOrEqual(1);
  }
});

test('each side answers for itself', async () => {
  fresh.fault = ({ path }) =>
    path.includes('/suppliers/')
      ? { kind: 'answer', status: 500, body: 'broken' }
      : { kind: 'delay', ms: 40 };
  const { evidence } = await compare(40, { warmUp: 0 });
  const delayed = evidence.sideBySide?.filter(({ kind }) => kind !== 'suppliers') ?? [];
  expect(Math.min(...delayed.map((pair) => pair.new.ms))).toBeGreaterThan(39);
  for (const pair of evidence.sideBySide ?? []) {
    expect(pair.old.ok).toBe(true);
    expect(pair.new).toMatchObject(
      pair.kind === 'suppliers' ? { ok: false, problem: 'status 500' } : { ok: true },
    );
  }
});

test('the memory of both sides is told, with what was answered until then', async () => {
  const { evidence } = await compare(50, { memoryEveryMs: 200 });
  for (const side of ['old', 'new'] as const) {
    const readings = (evidence.memory ?? []).filter((reading) => reading.side === side);
    expect(readings.length).toBeGreaterThan(1);
    const requests = readings.map((reading) => reading.requests);
    expect(requests).toEqual(requests.toSorted((a, b) => a - b));
    expect(readings.every(({ liveBytes }) => liveBytes > 5e6)).toBe(true);
  }
});
