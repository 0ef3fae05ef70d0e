import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import fastify, { type FastifyInstance } from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { answerErrors, answerUnreadable } from './errors.ts';

let app: FastifyInstance;
let port: number;
beforeAll(async () => {
  app = fastify({ clientErrorHandler: answerUnreadable });
  answerErrors(app);
  app.get('/*', async () => 'read');
  // A device that is always full.
  app.get('/full', async () => writeFile('/dev/full', 'something'));
  port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port);
});
afterAll(() => app.close());

/** The answer to these very bytes. */
async function answerTo(text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

const get = (url: string) => `GET ${url} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n`;

test.each(['/purposes?search=שלום', '/é', '/purposes?search=two words'])(
  'a URL that is not encoded is refused with how to do it: %s',
  async (url) => {
    const [head = '', body = ''] = (await answerTo(get(url))).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(JSON.parse(body)).toMatchObject({
      status: 400,
      code: 'malformed',
      detail: expect.stringContaining('percent-encoded'),
    });
    expect(await answerTo(get(encodeURI(url)))).toMatch(/^HTTP\/1\.1 200 OK/);
  },
);

test('what is no HTTP at all is refused without guessing', async () => {
  const [head, body = ''] = (await answerTo('hello there\r\n\r\n')).split('\r\n\r\n');
  expect(head).toContain('400 Bad Request');
  expect(JSON.parse(body)).toMatchObject({ detail: 'The request is malformed' });
});

test('a full disk is told as one: nothing was saved, and somebody has to make room', async () => {
  const response = await app.inject('/full');
  expect(response.statusCode).toBe(507);
  expect(response.json()).toMatchObject({
    code: 'no_room',
    title: 'Insufficient Storage',
    detail: expect.stringContaining('nothing was saved'),
  });
});
