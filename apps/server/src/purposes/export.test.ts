import { once } from 'node:events';
import { connect } from 'node:net';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type TestApp, testApp } from '../testing/app.ts';

let app: TestApp;
let port: number;
// A dozen exports of 12 MB, on machines that have other things to do.
vi.setConfig({ testTimeout: 60_000 });
beforeAll(async () => {
  app = await testApp();
  await app.app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.app.server.address();
  port = typeof address === 'object' && address ? address.port : 0;
  await sql`insert into purpose (description) select repeat('x', 1000) from generate_series(1, 12000)`.execute(
    app.db,
  );
});
afterAll(() => app.close());

async function ask(): Promise<ReturnType<typeof connect>> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write('GET /api/v1/purposes/export_csv HTTP/1.1\r\nHost: x\r\nx-test-role: user\r\n\r\n');
  return socket;
}

/** Answers only when every connection of the pool can be had at the same time. */
async function wholePool(): Promise<number> {
  const clients = await Promise.all(Array.from({ length: 10 }, () => app.db.pool.connect()));
  for (const client of clients) {
    client.release();
  }
  return clients.length;
}

test('clients that leave at any moment give their connections back', async () => {
  for (let i = 0; i < 12; i += 1) {
    const socket = await ask();
    if (i % 3 > 0) {
      await once(socket, 'readable');
    }
    socket.destroy();
    await once(socket, 'close');
  }
  expect(await wholePool()).toBe(10);
});

test('clients that read nothing take at most half of the connections; others are served', async () => {
  const stalled = await Promise.all(Array.from({ length: 5 }, ask));
  await Promise.all(stalled.map((socket) => once(socket, 'readable')));
  const refused = await app.get('/purposes/export_csv');
  expect(refused.status).toBe(503);
  expect(refused.headers['retry-after']).toBe('10');
  expect((await app.get('/purposes?limit=1')).status).toBe(200);
  for (const socket of stalled) {
    socket.destroy();
  }
  expect(await wholePool()).toBe(10);
  expect((await app.get('/purposes/export_csv?limit=1')).status).toBe(200);
});
