import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { selfSignedCertificate } from '@calculaud/testing/self-signed';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { freePort, listenOnLoopback } from '../testing/loopback.ts';
import { HttpClient, type HttpTarget } from './http-client.ts';

/** What a server does with a request, by its path. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = Buffer.concat(await request.toArray());
  switch (request.url) {
    case undefined:
    case '/silent':
      return;
    case '/reset':
      request.socket.resetAndDestroy();
      return;
    case '/half':
      response.writeHead(200, { 'content-length': 100 }).write('half');
      await pause(20);
      request.socket.destroy();
      return;
    case '/half-and-silent':
      response.writeHead(200, { 'content-length': 100 }).write('half');
      return;
    default:
      response
        .writeHead(request.url === '/503' ? 503 : 200, { 'x-request-id': 'abc' })
        .end(JSON.stringify({ method: request.method, host: request.headers.host, bytes: body.length }));
  }
}

let plain: Server;
let url: string;
let port: number;
const connections: Socket[] = [];
beforeAll(async () => {
  plain = createServer((request, response) => void answer(request, response));
  plain.on('connection', (socket: Socket) => connections.push(socket));
  port = await listenOnLoopback(plain);
  url = `http://127.0.0.1:${port}`;
});
afterAll(() => {
  plain.closeAllConnections();
  plain.close();
});

const clients: HttpClient[] = [];
function client(target: HttpTarget = { url }): HttpClient {
  const made = new HttpClient(target);
  clients.push(made);
  return made;
}
afterEach(async () => {
  await Promise.all(clients.splice(0).map((made) => made.close()));
});

const get = (path: string) => ({ method: 'GET', path, timeoutMs: 1000 }) as const;

test('an answer of any status is an answer, with its time', async () => {
  const outcome = await client().send(get('/503'));
  expect(outcome).toMatchObject({ answered: true, status: 503, headers: { 'x-request-id': 'abc' } });
  expect(outcome.ms).toBeGreaterThan(0);
});

test('connections are kept, or opened for one request alone', async () => {
  const sender = client();
  const before = connections.length;
  for (let n = 0; n < 3; n += 1) await sender.send(get('/'));
  expect(connections.length - before).toBe(1);
  for (let n = 0; n < 3; n += 1) await sender.send({ ...get('/'), connection: 'new' });
  expect(connections.length - before).toBe(4);
});

test('the name of the URL is asked for, wherever the connection leads', async () => {
  const here = `127.0.0.1:${port}`;
  const outcomes = [
    await client({ url: 'http://calculaud.test:81', connect: here }).send(get('/')),
    await client({ url: 'http://calculaud.test:81' }).send({ ...get('/'), instance: here }),
  ];
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      answered: true,
      body: expect.stringContaining('"host":"calculaud.test:81"'),
    });
  }
});

test('a body goes at once, or slowly', async () => {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let n = 0; n < 3; n += 1) {
      yield Buffer.alloc(1000);
      await pause(30);
    }
  }
  const post = { ...get('/'), method: 'POST' } as const;
  expect(await client().send({ ...post, body: 'é' })).toMatchObject({
    body: expect.stringContaining('"bytes":2'),
  });
  const slow = await client().send({ ...post, body: { length: 3000, chunks: chunks() } });
  expect(slow).toMatchObject({ body: expect.stringContaining('"bytes":3000') });
  expect(slow.ms).toBeGreaterThan(50);
});

test.each([
  ['/silent', 'time-out', 'no answer within 200 ms'],
  ['/reset', 'reset', 'ECONNRESET'],
  ['/half', 'broken off', 'after 4 bytes'],
  ['/half-and-silent', 'time-out', 'no answer within 200 ms'],
])('%s ends as a failure of the kind "%s"', async (path, problem, words) => {
  const outcome = await client().send({ ...get(path), timeoutMs: 200 });
  expect(outcome).toMatchObject({ answered: false, problem, words: expect.stringContaining(words) });
});

test('who is not there has refused; who cannot be found is unreachable', async () => {
  const refused = await client({ url: `http://127.0.0.1:${await freePort()}` }).send(get('/'));
  expect(refused).toMatchObject({ answered: false, problem: 'refused' });
  const unknown = await client({ url: 'http://nobody.invalid' }).send(get('/'));
  expect(unknown).toMatchObject({ answered: false, problem: 'unreachable' });
});

test('what is no HTTP is a failure', async () => {
  const server = createTcpServer((socket) => socket.end('220 mail at your service\r\n'));
  const outcome = await client({ url: `http://127.0.0.1:${await listenOnLoopback(server)}` }).send(get('/'));
  expect(outcome).toMatchObject({ answered: false, words: expect.stringContaining('Parse Error') });
  server.close();
});

test('over TLS only a trusted certificate of the right name will do, with HTTP/1.1 and HTTP/2', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-http-'));
  const ca = join(folder, 'ca.pem');
  const { key, cert } = selfSignedCertificate();
  writeFileSync(ca, cert);
  let sessions = 0;
  const server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
    if (request.url === '/silent') return;
    response.end(`HTTP/${request.httpVersion} ${request.headers[':authority'] ?? request.headers.host}`);
  });
  server.on('session', () => {
    sessions += 1;
  });
  const connect = `127.0.0.1:${await listenOnLoopback(server)}`;
  const trusting = client({ url: 'https://localhost:4443', connect, ca });
  expect(await trusting.send(get('/'))).toMatchObject({ answered: true, body: 'HTTP/1.1 localhost:4443' });
  const http2 = { ...get('/'), connection: 'h2' } as const;
  for (let n = 0; n < 3; n += 1) {
    expect(await trusting.send(http2)).toMatchObject({
      answered: true,
      status: 200,
      body: 'HTTP/2.0 localhost:4443',
    });
  }
  expect(sessions).toBe(1);
  expect(await trusting.send({ ...http2, path: '/silent', timeoutMs: 100 })).toMatchObject({
    problem: 'time-out',
  });

  for (const connection of ['new', 'h2'] as const) {
    const strict = client({ url: 'https://localhost:4443', connect });
    expect(await strict.send({ ...get('/'), connection })).toMatchObject({
      answered: false,
      problem: 'unreachable',
    });
    const elsewhere = client({ url: 'https://other.test', connect, ca });
    expect(await elsewhere.send({ ...get('/'), connection })).toMatchObject({
      answered: false,
      words: expect.stringContaining("does not match certificate's altnames"),
    });
  }
  await Promise.all(clients.splice(0).map((made) => made.close()));
  server.close();
  rmSync(folder, { recursive: true });
});

test('an HTTP/2 server that says good-bye finishes what it has; the next request opens another connection', async () => {
  const { key, cert } = selfSignedCertificate();
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-http-'));
  const ca = join(folder, 'ca.pem');
  writeFileSync(ca, cert);
  let sessions = 0;
  const server = createSecureServer({ key, cert }, (request, response) => {
    if (request.url === '/last') request.stream.session?.goaway();
    setTimeout(() => response.end('done'), 50);
  });
  server.on('session', () => {
    sessions += 1;
  });
  const target = client({
    url: `https://localhost:${await listenOnLoopback(server)}`,
    connect: undefined,
    ca,
  });
  const over = (path: string) => target.send({ ...get(path), connection: 'h2' });
  const answers = await Promise.all([over('/'), over('/last'), over('/')]);
  answers.push(await over('/'));
  expect(answers.map((outcome) => outcome.answered && outcome.body)).toEqual([
    'done',
    'done',
    'done',
    'done',
  ]);
  expect(sessions).toBe(2);
  await Promise.all(clients.splice(0).map((made) => made.close()));
  server.close();
  rmSync(folder, { recursive: true });
});
