import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import fastify from 'fastify';
import { afterAll, describe, expect, test } from 'vitest';
import { answerErrors } from './errors.ts';
import { acceptMultipart, readParts } from './multipart.ts';

const app = fastify();
answerErrors(app);
acceptMultipart(app);
app.route<{ Querystring: { read?: string } }>({
  method: 'POST',
  url: '/',
  handler: async (request) => {
    const parts = [];
    for await (const { name, filename, contentType, content } of readParts(request)) {
      if (request.query.read === 'names') parts.push({ name });
      else if (request.query.read === 'starts') {
        const { value } = await content[Symbol.asyncIterator]().next();
        parts.push({ name, start: String(value).slice(0, 2) });
      } else {
        const bytes = await buffer(Readable.from(content, { objectMode: false }));
        parts.push({ name, filename, contentType, content: bytes.toString('base64') });
      }
    }
    return parts;
  },
});

afterAll(async () => {
  await app.close();
});

const send = async (body: Buffer | string | Readable, boundary = 'b', read = '') => {
  const response = await app.inject({
    method: 'POST',
    url: `/?read=${read}`,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    payload: typeof body === 'string' ? Buffer.from(body) : body,
  });
  return { status: response.statusCode, json: response.json<unknown>() };
};

/** The headers of one part, as the server reads them. */
const partWith = async (...headers: string[]) =>
  (await send(`--b\r\n${headers.join('\r\n')}\r\n\r\nx\r\n--b--`)).json;

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a form', () => {
  test('is read part by part', async () => {
    const { json } = await send(
      '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\none\r\n' +
        '--b\r\ncontent-disposition: form-data; name=f; filename=x.txt\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ntwo\r\n\r\n--b--\r\n',
    );
    expect(json).toEqual([
      { name: 'a', content: base64('one') },
      { name: 'f', filename: 'x.txt', contentType: 'text/plain; charset=utf-8', content: base64('two\r\n') },
    ]);
  });

  test('may have text around it, blanks after its boundary, and parts without headers', async () => {
    const { json } = await send('preamble\r\n--b \t\r\n\r\nx\r\n--b--\r\nepilogue');
    expect(json).toEqual([{ name: '', content: base64('x') }]);
  });

  test('may have no parts at all', async () => {
    expect(await send('--b--')).toEqual({ status: 200, json: [] });
  });

  test('may have a quoted boundary', async () => {
    const { json } = await send('--a b\r\n\r\nx\r\n--a b--', '"a b"');
    expect(json).toEqual([{ name: '', content: base64('x') }]);
  });

  test.each(['names', 'starts'])(
    'whose reader takes no more than %s is read to the end all the same',
    async (read) => {
      const part = (name: string) =>
        `--b\r\ncontent-disposition: form-data; name=${name}\r\n\r\n${'y'.repeat(100_000)}\r\n`;
      const { json } = await send(`${part('one')}${part('two')}--b--`, 'b', read);
      expect(json).toMatchObject([{ name: 'one' }, { name: 'two' }]);
    },
  );

  test('gives back any content byte by byte, however it is cut into pieces', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((content) => Buffer.from(content)),
      // Content full of things that look like a delimiter.
      fc
        .array(fc.constantFrom('\r', '\n', '-', '\r\n--', '--b', '\r\n--bound', 'x'), { maxLength: 40 })
        .map((words) => Buffer.from(words.join(''))),
    );
    const boundary = 'boundary';
    await fc.assert(
      fc.asyncProperty(
        fc.array(bytes, { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
        async (contents, sizes) => {
          fc.pre(
            contents.every(
              (content) => !Buffer.concat([Buffer.from('\r\n'), content]).includes(`\r\n--${boundary}`),
            ),
          );
          const whole = Buffer.concat([
            ...contents.flatMap((content, index) => [
              Buffer.from(
                `${index === 0 ? '' : '\r\n'}--${boundary}\r\ncontent-disposition: form-data; name="${index}"\r\n\r\n`,
              ),
              content,
            ]),
            Buffer.from(`\r\n--${boundary}--\r\n`),
          ]);
          const pieces: Buffer[] = [];
          for (let at = 0, turn = 0; at < whole.length; turn += 1) {
            const size = sizes[turn % sizes.length] ?? 1;
            pieces.push(whole.subarray(at, at + size));
            at += size;
          }
          const { json } = await send(Readable.from(pieces, { objectMode: false }), boundary);
          expect(json).toEqual(
            contents.map((content, index) => ({ name: String(index), content: content.toString('base64') })),
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('the name of a file', () => {
  test.each([
    ['filename="דוח.pdf"', 'דוח.pdf'],
    [String.raw`filename="a \"b\" \\ c.txt"`, String.raw`a "b" \ c.txt`],
    [String.raw`filename="C:\docs\plan.txt"`, String.raw`C:\docs\plan.txt`],
    ['filename="a;b=c.txt"', 'a;b=c.txt'],
    ['filename="a%22b.txt"', 'a%22b.txt'],
    [`filename="x"; filename*=UTF-8''%D7%93.pdf`, 'ד.pdf'],
    [`filename*=utf-8'he'%D7%93.pdf`, 'ד.pdf'],
    [`filename="x"; filename*=UTF-8''%zz`, 'x'],
    [`filename="x"; filename*=latin1''%E9`, 'x'],
    ['FILENAME="upper.txt"', 'upper.txt'],
    ['filename=""', ''],
  ])('%s is %j', async (parameter, filename) => {
    const json = await partWith(`content-disposition: form-data; name="file"; ${parameter}`);
    expect(json).toMatchObject([{ name: 'file', filename }]);
  });

  test('in Latin-1 is understood', async () => {
    const header = Buffer.from('content-disposition: form-data; name="file"; filename="é.txt"', 'latin1');
    const { json } = await send(
      Buffer.concat([Buffer.from('--b\r\n'), header, Buffer.from('\r\n\r\nx\r\n--b--')]),
    );
    expect(json).toMatchObject([{ filename: 'é.txt' }]);
  });

  test('of hostile backslashes costs no time', async () => {
    const begin = performance.now();
    await partWith(`content-disposition: form-data; filename="${'\\'.repeat(8000)}`);
    expect(performance.now() - begin).toBeLessThan(1000);
  });
});

describe('refused is', () => {
  test.each([
    ['a body that ends in the content', '--b\r\n\r\nx'],
    ['a body that ends in the headers', '--b\r\nContent-Type: x'],
    ['a body that ends after a boundary', '--b'],
    ['a body without its boundary', 'nothing of the kind'],
    ['no body', ''],
    ['something else after a boundary', '--bx\r\n\r\nx\r\n--b--'],
    ['a header that is none', '--b\r\nnonsense\r\n\r\nx\r\n--b--'],
    ['a header without a name', '--b\r\n: x\r\n\r\nx\r\n--b--'],
    ['a header that is too long', `--b\r\na: ${'x'.repeat(9000)}\r\n\r\nx\r\n--b--`],
    ['a header that never ends', `--b\r\n${'x'.repeat(100_000)}`],
    [
      'too many headers',
      `--b\r\n${Array.from({ length: 30 }, (_, index) => `h${index}: x\r\n`).join('')}\r\nx\r\n--b--`,
    ],
    ['too many parts', `${'--b\r\n\r\nx\r\n'.repeat(101)}--b--`],
  ])('%s', async (_, body) => {
    const { status, json } = await send(body);
    expect(status).toBe(422);
    expect(json).toMatchObject({ detail: [{ type: 'multipart_invalid', loc: ['body', 'file'] }] });
  });

  test.each(['', '""', 'x'.repeat(71)])('the boundary %j', async (boundary) => {
    expect((await send('--b--', boundary)).status).toBe(422);
  });
});
