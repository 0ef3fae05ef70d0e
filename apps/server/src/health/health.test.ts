import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { about, health } from '@calculaud/contract/health';
import { openDatabase } from '@calculaud/db/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { Lifecycle } from '../platform/lifecycle.ts';
import { RequestCount } from '../platform/request-count.ts';
import { openStorage } from '../platform/storage.ts';
import { type TestApp, testApp } from '../testing/app.ts';
import { buildManagement } from './management.ts';

let app: TestApp;
beforeAll(async () => {
  app = await testApp();
});
afterAll(() => app.close());

test('the root tells name and version without credentials', async () => {
  expect((await app.get('//', { role: null })).as(about)).toMatchObject({
    message: 'Procurement Management System',
  });
});

test('health tells that database and storage answer', async () => {
  const response = await app.get('//health', { role: null });
  expect(response.as(health)).toMatchObject({ status: 'healthy', database: 'pass', storage: 'pass' });
  expect(response.headers['cache-control']).toBe('no-store');
});

test('readiness follows start, drain, database and schema; liveness none of them', async () => {
  const lifecycle = new Lifecycle();
  const management = buildManagement(app.services, lifecycle, new RequestCount());
  const ready = async () => (await management.inject('/health/ready')).statusCode;
  expect(await ready()).toBe(503);
  expect((await management.inject('/health/started')).statusCode).toBe(503);
  lifecycle.markStarted();
  expect(await ready()).toBe(200);
  expect((await management.inject('/health/started')).statusCode).toBe(200);
  lifecycle.markDraining();
  expect(await ready()).toBe(503);
  expect((await management.inject('/health/live')).statusCode).toBe(200);
  await management.close();
});

test.each(['live', 'started', 'ready'])('%s says which build answers', async (question) => {
  const build = { ...app.services.config.app, version: '1.2.3', commit: '0a1b2c3' };
  const services = { ...app.services, config: { ...app.services.config, app: build } };
  for (const [given, told] of [
    [services, { version: '1.2.3', commit: '0a1b2c3' }],
    [app.services, { version: app.services.config.app.version, commit: null }],
  ] as const) {
    const management = buildManagement(given, new Lifecycle(), new RequestCount());
    expect((await management.inject(`/health/${question}`)).json()).toMatchObject(told);
    await management.close();
  }
});

test('without a database it is not ready and says which check failed, but lives', async () => {
  const db = openDatabase({
    connectionString: 'postgresql://nobody@localhost/none?host=/nonexistent',
    poolSize: 1,
    statementTimeoutMs: 1000,
    applicationName: 'test',
  });
  const lifecycle = new Lifecycle();
  lifecycle.markStarted();
  const management = buildManagement({ ...app.services, db }, lifecycle, new RequestCount());
  const response = await management.inject('/health/ready');
  expect(response.statusCode).toBe(503);
  expect(response.headers['content-type']).toContain('application/health+json');
  expect(response.json()).toMatchObject({
    status: 'fail',
    checks: { 'postgresql:responseTime': [{ status: 'fail' }] },
  });
  expect((await management.inject('/health/live')).statusCode).toBe(200);
  await management.close();
  await db.close();
});

test('a store that does not answer at all holds nobody up', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const storage = await openStorage({
    kind: 's3',
    bucket: 'files',
    keyPrefix: '',
    region: undefined,
    endpoint: `http://127.0.0.1:${port}`,
    storageClass: undefined,
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
  });
  const lifecycle = new Lifecycle();
  lifecycle.markStarted();
  const management = buildManagement({ ...app.services, storage }, lifecycle, new RequestCount());
  const begin = performance.now();
  const response = await management.inject('/health/ready');
  expect(performance.now() - begin).toBeLessThan(1900);
  expect(response.statusCode).toBe(200);
  expect(response.json()).toMatchObject({
    status: 'warn',
    checks: { 'storage:availability': [{ status: 'warn', output: 'no answer within 1000 ms' }] },
  });
  await management.close();
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('a process tells what it has answered and what it keeps; garbage does not count once it is collected', async () => {
  const requests = new RequestCount();
  requests.watch(app.app.server);
  const management = buildManagement(app.services, new Lifecycle(), requests);
  const report = async (method: 'GET' | 'POST', url: string) => {
    const response = await management.inject({ method, url });
    expect(response.statusCode).toBe(200);
    return z
      .object({
        version: z.string(),
        uptime_seconds: z.int(),
        requests: z.int(),
        open_requests: z.int(),
        memory: z.object({ live_bytes: z.int().positive(), rss_bytes: z.int().positive() }),
      })
      .parse(response.json());
  };
  // What earlier files of tests left in this process goes in several rounds.
  for (let last = Infinity, live = 0; ; last = live) {
    live = (await report('POST', '/process/collect-garbage')).memory.live_bytes;
    if (live > last - 1e6) break;
  }
  const before = await report('GET', '/process');
  expect(before).toMatchObject({ requests: 0, open_requests: 0 });

  const url = await app.app.listen({ port: 0, host: '127.0.0.1' });
  for (const path of ['/', '/health', '/nowhere']) await (await fetch(`${url}${path}`)).text();
  let garbage: unknown[] = Array.from({ length: 20 }, () => Array.from({ length: 100_000 }, () => 0.5));
  expect((await report('GET', '/process')).memory.live_bytes).toBeGreaterThan(
    before.memory.live_bytes + 12e6,
  );
  garbage = [];
  const after = await report('POST', '/process/collect-garbage');
  expect(after).toMatchObject({ requests: 3, open_requests: 0 });
  expect(after.memory.live_bytes).toBeLessThan(before.memory.live_bytes + 8e6);
  expect(garbage).toEqual([]);
  await management.close();
});
