import { EventEmitter, once } from 'node:events';
import { Agent, request as send } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Connections } from './connections.ts';
import { drain } from './drain.ts';

let app: FastifyInstance;
let connections: Connections;
let port: number;
/** A request says `arrived` and is answered when the test says `answer`. */
let steps: EventEmitter;

beforeEach(async () => {
  steps = new EventEmitter();
  app = fastify({ forceCloseConnections: 'idle', return503OnClosing: false });
  connections = new Connections(app);
  const answer = async () => {
    const go = once(steps, 'answer');
    steps.emit('arrived');
    await go;
    return 'answered';
  };
  app.get('/quick', async () => 'answered');
  app.get('/ordinary', answer);
  app.get('/transfer', { config: { transfer: true } }, answer);
  await app.listen({ host: '127.0.0.1', port: 0 });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server has such an address
  port = (app.server.address() as AddressInfo).port;
});
afterEach(() => app.close());

/** The text of the answer, or the code of the failure. */
async function get(path: string, agent?: Agent): Promise<string> {
  return new Promise((resolve) => {
    const request = send({ port, path, ...(agent ? { agent } : { agent: false }) }, (response) => {
      response.setEncoding('utf8').once('data', resolve);
    });
    request.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    request.end();
  });
}

/** A request that is under way, and its answer to come. */
async function arrived(path: string): Promise<{ readonly answer: Promise<string> }> {
  const here = once(steps, 'arrived');
  const answer = get(path);
  await here;
  return { answer };
}

/** Until it takes no more connections. */
async function noticeOver(): Promise<void> {
  await expect.poll(() => app.server.listening).toBe(false);
}

test('while it gives notice it takes new connections; what came until then is answered', async () => {
  const draining = drain(connections, { noticeMs: 300, limitMs: 5000 }, () => app.close());
  expect(await get('/quick')).toBe('answered');
  const { answer } = await arrived('/ordinary');
  await noticeOver();
  expect(await get('/quick')).toBe('ECONNREFUSED');
  steps.emit('answer');
  expect(await answer).toBe('answered');
  await draining;
});

test('a connection that is kept alive and waits for nothing does not hold it up', async () => {
  const agent = new Agent({ keepAlive: true });
  expect(await get('/quick', agent)).toBe('answered');
  await drain(connections, { noticeMs: 0, limitMs: 60_000 }, () => app.close());
  agent.destroy();
});

test('a connection that says nothing does not hold it up', async () => {
  const accepted = once(app.server, 'connection');
  const silent = connect(port);
  await accepted;
  const closed = once(silent, 'close');
  await drain(connections, { noticeMs: 0, limitMs: 60_000 }, () => app.close());
  await closed;
});

test('what is no transfer is cut off after its time, a transfer goes on', async () => {
  const ordinary = await arrived('/ordinary');
  const transfer = await arrived('/transfer');
  const draining = drain(connections, { noticeMs: 0, limitMs: 60_000, ordinaryMs: 100 }, () => app.close());
  expect(await ordinary.answer).toBe('ECONNRESET');
  steps.emit('answer');
  expect(await transfer.answer).toBe('answered');
  await draining;
});

test('at the deadline everything is cut off', async () => {
  const transfer = await arrived('/transfer');
  await drain(connections, { noticeMs: 0, limitMs: 100 }, () => app.close());
  expect(await transfer.answer).toBe('ECONNRESET');
});

test('what hangs even then does not keep the process', async () => {
  await drain(connections, { noticeMs: 0, limitMs: 0 }, async () => new Promise(() => undefined));
});
