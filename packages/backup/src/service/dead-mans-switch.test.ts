import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterEach, expect, test, vi } from 'vitest';
import { startDeadMansSwitch } from './dead-mans-switch.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).toReversed()) await clean();
});

async function watcher(
  status: () => number,
): Promise<{ readonly url: string; readonly asked: () => number }> {
  let asked = 0;
  const server: Server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(status()).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(async () => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  return { url: `http://127.0.0.1:${port}/ping/secret-token`, asked: () => asked };
}

function start(url: string, isWell: () => boolean) {
  const told: string[] = [];
  const running = startDeadMansSwitch({ url, isWell, say: (message) => told.push(message), everyMs: 10 });
  cleanups.push(async () => running.stop());
  return told;
}

test('it is asked for while all is well, and not when it is not', async () => {
  let well = true;
  let looks = 0;
  const { url, asked } = await watcher(() => 200);
  const told = start(url, () => {
    looks += 1;
    return well;
  });
  await vi.waitFor(() => expect(asked()).toBeGreaterThan(2));
  well = false;
  const before = looks;
  await vi.waitFor(() => expect(looks).toBeGreaterThan(before + 1));
  const then = asked();
  await vi.waitFor(() => expect(looks).toBeGreaterThan(before + 5));
  expect(asked()).toBe(then);
  expect(told).toEqual([]);
});

test('that it cannot be reached is told once, and that it can again, and never its address', async () => {
  let status = 500;
  const { url, asked } = await watcher(() => status);
  const told = start(url, () => true);
  await vi.waitFor(() => expect(asked()).toBeGreaterThan(3));
  status = 200;
  await vi.waitFor(() => expect(told).toHaveLength(2));
  expect(told[0]).toContain('it answered 500');
  expect(told[1]).toContain('again');
  expect(told.join()).not.toContain('secret-token');
});

test('nobody there is a reason in words', async () => {
  const told = start('http://127.0.0.1:9/ping/secret-token', () => true);
  await vi.waitFor(() => expect(told).toHaveLength(1));
  expect(told[0]).toMatch(/ECONNREFUSED|the request failed/);
  expect(told[0]).not.toContain('secret-token');
});
