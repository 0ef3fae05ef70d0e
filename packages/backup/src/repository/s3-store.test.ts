import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type S3Server, startS3 } from '@calculaud/testing/s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from './open-store.ts';
import { openS3Store } from './s3-store.ts';
import { addressIn, kindsOfStores, S3_CREDENTIALS } from './testing/stores.ts';

/** What stands between us and the store, and what it does with one request after the other. */
type Fate =
  | 'pass'
  | 'lose the answer'
  | 'cut the answer'
  | 'hang'
  | { readonly status: number; readonly code: string };

describe.skipIf(kindsOfStores().length === 1)('a bucket behind a bad network', () => {
  let s3: S3Server;
  let relay: Server;
  let endpoint: string;
  let decide: (request: IncomingMessage) => Fate = () => 'pass';
  const seen: IncomingMessage[] = [];

  beforeAll(async () => {
    s3 = await startS3();
    const { port } = new URL(s3.environment['S3_ENDPOINT_URL'] ?? '');
    relay = createServer((asked, answer) => {
      seen.push(asked);
      pass(asked, answer, Number(port), decide(asked));
    });
    relay.listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const address = relay.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    endpoint = `http://127.0.0.1:${address.port}`;
  });
  afterEach(() => {
    decide = () => 'pass';
    seen.length = 0;
  });
  afterAll(async () => {
    relay.closeAllConnections();
    relay.close();
    await s3.remove();
  });

  const open = async (prefix: string, limits = { callMs: 20_000, attempts: 3 }) =>
    openS3Store({ bucket: 'calculaud-files', prefix, endpoint, region: undefined }, S3_CREDENTIALS, limits);
  /** The first requests for this key meet a fate each, the others pass. */
  const first = (method: string, key: string, ...fates: Fate[]) => {
    decide = (asked) =>
      asked.method === method && asked.url?.includes(key) ? (fates.shift() ?? 'pass') : 'pass';
  };

  test('has what was put when only the answer to it was lost, and says so', async () => {
    const store = await open('lost');
    await store.put('other', Buffer.from('x'), { ifAbsent: true });
    first('PUT', 'mine', 'lose the answer');
    expect(await store.put('mine', Buffer.from('by me'), { ifAbsent: true })).toBe(true);
    first('PUT', 'mine', { status: 503, code: 'SlowDown' });
    expect(await store.put('mine', Buffer.from('by another'), { ifAbsent: true })).toBe(false);
    expect(String(await store.get('mine'))).toBe('by me');
    await store.close();
  });

  test('is asked again when two writers meet, and when it is busy', async () => {
    const store = await open('conflict');
    await store.put('other', Buffer.from('x'), { ifAbsent: true });
    first(
      'PUT',
      'contended',
      { status: 409, code: 'ConditionalRequestConflict' },
      { status: 500, code: 'InternalError' },
    );
    expect(await store.put('contended', Buffer.from('x'), { ifAbsent: true })).toBe(true);
    await store.close();
  });

  test('is read again when an answer breaks off, and never gives a part of an object', async () => {
    const store = await open('cut');
    const content = Buffer.alloc(200_000, 7);
    await store.put('object', content);
    first('GET', 'object', 'cut the answer');
    expect((await store.get('object'))?.equals(content)).toBe(true);
    first('GET', 'object', 'cut the answer', 'cut the answer', 'cut the answer');
    await expect(store.get('object')).rejects.toMatchObject({ kind: 'unavailable', object: 'object' });
    await store.close();
  });

  test('is given up after a time when it does not answer', async () => {
    const store = await open('hang', { callMs: 500, attempts: 3 });
    decide = () => 'hang';
    await expect(store.get('object')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('did not finish within 0.5 s'),
    });
    await expect(store.put('object', Buffer.from('x'))).rejects.toMatchObject({ kind: 'unavailable' });
    await store.close();
  });

  test.each([
    [{ status: 507, code: 'XMinioStorageFull' }, 'full', 'Make room'],
    [{ status: 403, code: 'QuotaExceeded' }, 'full', 'Make room'],
    [{ status: 403, code: 'AccessDenied' }, 'unavailable', 'refuses access'],
    [{ status: 403, code: 'RequestTimeTooSkewed' }, 'unavailable', 'Set the clock'],
    [{ status: 501, code: 'NotImplemented' }, 'impossible', 'If-None-Match'],
  ] as const)('%j is told in words', async (fate, kind, words) => {
    const store = await open('words');
    await store.put('other', Buffer.from('x'), { ifAbsent: true });
    decide = () => fate;
    await expect(store.put('object', Buffer.from('x'), { ifAbsent: true })).rejects.toMatchObject({
      kind,
      message: expect.stringContaining(words),
    });
    await store.close();
  });

  test('that takes the same object twice is refused before it is relied on', async () => {
    const store = await open('careless');
    // As a store of before 2024 does, which ignores what it does not know.
    decide = ({ method }) => (method === 'PUT' ? { status: 200, code: '' } : 'pass');
    await expect(store.put('lease', Buffer.from('x'), { ifAbsent: true })).rejects.toMatchObject({
      kind: 'impossible',
      message: expect.stringContaining('If-None-Match'),
    });
    expect(seen.some(({ url }) => url?.includes('lease'))).toBe(false);
    await store.close();
  });

  test('gets the SHA-256 of each content, under the signature', async () => {
    const store = await open('signed');
    await store.put('object', Buffer.from('x'));
    const put = seen.find(({ method }) => method === 'PUT');
    expect(put?.headers['x-amz-content-sha256']).toMatch(/^[0-9a-f]{64}$/);
    expect(put?.headers.authorization).toContain('x-amz-content-sha256');
    await store.close();
  });

  test.each([
    ['an unknown access key', { accessKeyId: 'nobody', secretAccessKey: 'test-secret-key' }, 'access key'],
    ['a wrong secret', { accessKeyId: 'test-access-key', secretAccessKey: 'wrong' }, 'secret key is wrong'],
  ])('is not opened with %s', async (_, credentials, words) => {
    const refused = openStore(addressIn(s3.environment, 'x'), credentials);
    await expect(refused).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining(words),
    });
  });

  test('is not opened when it is not there, and when its server is not', async () => {
    const place = { bucket: 'another', prefix: '', endpoint, region: undefined };
    await expect(openS3Store(place, S3_CREDENTIALS)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('no such bucket'),
    });
    const nowhere = { ...place, endpoint: 'http://127.0.0.1:1' };
    await expect(openS3Store(nowhere, S3_CREDENTIALS, { callMs: 5000, attempts: 2 })).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('that was away for a while serves again, without being opened again', async () => {
    const store = await open('away', { callMs: 5000, attempts: 2 });
    await store.put('object', Buffer.from('still here'));
    await s3.stop();
    await expect(store.get('object')).rejects.toMatchObject({ kind: 'unavailable' });
    await s3.start();
    expect(String(await store.get('object'))).toBe('still here');
    await store.close();
  });
});

function pass(asked: IncomingMessage, answer: ServerResponse, port: number, fate: Fate): void {
  if (fate === 'hang') {
    asked.resume();
    return;
  }
  if (typeof fate === 'object') {
    asked.resume();
    asked.once('end', () => {
      const body =
        fate.code && `<?xml version="1.0"?><Error><Code>${fate.code}</Code><Message>no</Message></Error>`;
      answer.writeHead(fate.status, { 'content-type': 'application/xml' }).end(body);
    });
    return;
  }
  const onward = request({
    port,
    host: '127.0.0.1',
    method: asked.method,
    path: asked.url,
    headers: asked.headers,
  });
  onward.on('error', () => answer.destroy());
  onward.on('response', (found) => {
    if (fate === 'lose the answer') {
      found.resume();
      found.once('end', () => answer.destroy());
      return;
    }
    answer.writeHead(found.statusCode ?? 500, found.headers);
    if (fate === 'pass') {
      found.pipe(answer);
      return;
    }
    found.once('data', (part: Buffer) => {
      answer.write(part.subarray(0, part.length / 2), () => answer.destroy());
    });
  });
  asked.pipe(onward);
}
