import { createHash, createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { getFile, listFiles } from '@calculaud/contract/files';
import { loadConfig } from '@calculaud/config/load';
import { buildApp } from '../app.ts';
import { fileLinks, validityOf } from './links.ts';
import { contentDisposition, requestedRange } from './rules.ts';
import { signingSecretOf } from './signing-secret.ts';
import { type Attachment, type FileServer, fileServer } from './testing/server.ts';

const CONTENT = '0123456789';

let server: FileServer;
let file: Attachment;

beforeAll(async () => {
  server = await fileServer();
  file = await server.stored({ filename: 'plan.txt', contentType: 'text/plain', content: CONTENT });
});

afterAll(async () => {
  await server.close();
});

/** The link with one thing about it changed. */
const changed = (change: (url: URL) => void): string => {
  const url = new URL(file.file_url);
  change(url);
  return url.href;
};

test('a link gives the content to whoever has it, to be saved and not to be shown', async () => {
  const response = await server.download(file.file_url);
  expect(response.status).toBe(200);
  expect(response.text).toBe(CONTENT);
  expect(response.headers).toMatchObject({
    'content-type': 'text/plain',
    'content-length': '10',
    'content-disposition': `attachment; filename="plan.txt"; filename*=UTF-8''plan.txt`,
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
    'cache-control': expect.stringMatching(/^private, max-age=3[5-9]\d\d, immutable$/),
  });
});

test('the download answer has the same link and says how long it works', async () => {
  const download = (await server.get(`/files/${file.id}`)).as(getFile);
  expect(download).toMatchObject({ file_id: file.id, original_filename: 'plan.txt', expires_in: 3600 });
  expect((await server.download(download.download_url)).text).toBe(CONTENT);
});

test('an unknown file has no link', async () => {
  const response = await server.get('/files/2147483647');
  expect(response.status).toBe(404);
  expect(response.json()).toMatchObject({ detail: 'File with ID 2147483647 not found' });
});

test.each<[string, (url: URL) => void]>([
  ['another file', (url) => (url.pathname = url.pathname.replace(`/${file.id}/`, `/${file.id + 1}/`))],
  [
    'a later expiry',
    (url) => url.searchParams.set('expires', String(Number(url.searchParams.get('expires')) + 300)),
  ],
  [
    'an expiry in other words',
    (url) => url.searchParams.set('expires', ` ${url.searchParams.get('expires')}`),
  ],
  ['no expiry', (url) => url.searchParams.delete('expires')],
  ['no signature', (url) => url.searchParams.delete('signature')],
  [
    'half a signature',
    (url) => url.searchParams.set('signature', url.searchParams.get('signature')?.slice(32) ?? ''),
  ],
  [
    'a signature in capitals',
    (url) => url.searchParams.set('signature', url.searchParams.get('signature')?.toUpperCase() ?? ''),
  ],
  ['a signature of many bytes', (url) => url.searchParams.set('signature', 'ä'.repeat(64))],
])('a link changed to %s is refused', async (_, change) => {
  expect((await server.download(changed(change))).status).toBe(403);
});

function expiryOf({ beforeSignature }: ReturnType<typeof fileLinks>): number {
  return Number(new URL(beforeSignature, 'http://files').searchParams.get('expires'));
}

test('a link of another installation is refused', async () => {
  const config = loadConfig({ CALCULAUD_SIGNING_SECRET: 'another secret of thirty-two characters' });
  const expires = expiryOf(fileLinks({ config }, { baseUrl: '' }));
  const signature = new URL(file.file_url).searchParams.get('signature') ?? '';
  expect(validityOf(server.services, file.id, { expires: String(expires), signature })).toBeGreaterThan(3500);
  expect(validityOf({ config }, file.id, { expires: String(expires), signature })).toBe(0);
});

test('links that are given out within five minutes are the same, and work that much longer', async () => {
  const [one, other] = [
    fileLinks(server.services, { baseUrl: '' }),
    fileLinks(server.services, { baseUrl: '' }),
  ];
  expect(one).toEqual(other);
  const expires = expiryOf(one);
  expect(expires % 300).toBe(0);
  expect(expires - Date.now() / 1000).toBeGreaterThanOrEqual(3600 - 1);
  expect(expires - Date.now() / 1000).toBeLessThanOrEqual(3900);
});

test('a link that was signed by us and has expired is refused', async () => {
  const signed = (expires: number): string => {
    const key = createHmac('sha256', signingSecretOf(server.services.config))
      .update(`files:${expires}`)
      .digest('hex');
    const signature = createHmac('sha256', key).update(String(file.id)).digest('hex');
    return changed((url) => {
      url.search = `?expires=${expires}&signature=${signature}`;
    });
  };
  const now = Math.floor(Date.now() / 1000);
  expect((await server.download(signed(now + 60))).status).toBe(200);
  expect((await server.download(signed(now - 1))).status).toBe(403);
});

test.each([
  ['bytes=0-3', '0123', 'bytes 0-3/10'],
  ['bytes=4-', '456789', 'bytes 4-9/10'],
  ['bytes=-3', '789', 'bytes 7-9/10'],
  ['bytes=8-100', '89', 'bytes 8-9/10'],
])('the range %s is answered with just that', async (range, text, contentRange) => {
  const response = await server.download(file.file_url, { range });
  expect([response.status, response.text]).toEqual([206, text]);
  expect(response.headers).toMatchObject({
    'content-range': contentRange,
    'content-length': String(text.length),
  });
});

test.each(['bytes=0-1,3-4', 'bytes=5-2', 'lines=1-2', 'bytes=-', 'bytes=99999999999999999999-'])(
  'the range %s is not understood and answered with everything',
  async (range) => {
    const response = await server.download(file.file_url, { range });
    expect([response.status, response.text]).toEqual([200, CONTENT]);
  },
);

test('a range behind the end is refused with the size', async () => {
  const response = await server.download(file.file_url, { range: 'bytes=10-' });
  expect(response.status).toBe(416);
  expect(response.headers['content-range']).toBe('bytes */10');
});

test('a download goes on where it broke off only if it is still the same file', async () => {
  const { etag } = (await server.download(file.file_url)).headers;
  const range = { range: 'bytes=8-' };
  expect((await server.download(file.file_url, { ...range, 'if-range': String(etag) })).text).toBe('89');
  expect((await server.download(file.file_url, { ...range, 'if-range': '"file-0"' })).text).toBe(CONTENT);
});

test('every range lies within the file', () => {
  const header = fc.oneof(
    fc.string(),
    fc.tuple(fc.nat(20), fc.nat(20)).map(([from, to]) => `bytes=${from}-${to}`),
    fc.nat(20).map((length) => `bytes=-${length}`),
    fc.nat(20).map((from) => `bytes=${from}-`),
  );
  fc.assert(
    fc.property(header, fc.nat(15), (text, size) => {
      const range = requestedRange(text, size);
      if (typeof range === 'string') return;
      expect(range.start).toBeGreaterThanOrEqual(0);
      expect(range.end).toBeGreaterThanOrEqual(range.start);
      expect(range.end).toBeLessThan(size);
    }),
  );
});

test.each([
  ['image/png', 'inline'],
  ['image/webp; q=1', 'inline'],
  ['image/svg+xml', 'attachment'],
  ['text/html', 'attachment'],
  ['application/pdf', 'attachment'],
])('%s may be asked to be shown and is sent as %s', async (contentType, disposition) => {
  const { file_url } = await server.stored({ filename: 'x', contentType });
  const asked = await server.download(`${file_url}&disposition=inline`);
  expect(asked.headers['content-disposition']).toMatch(new RegExp(`^${disposition};`));
  expect((await server.download(file_url)).headers['content-disposition']).toMatch(/^attachment;/);
});

test('a type that is none is sent as an octet stream', async () => {
  const { file_url } = await server.stored({ filename: 'x', contentType: 'text/ht ml\tx' });
  expect((await server.download(file_url)).headers['content-type']).toBe('application/octet-stream');
});

test.each([
  ['דוח רכש.pdf', `filename="___ ___.pdf"; filename*=UTF-8''%D7%93%D7%95%D7%97%20%D7%A8%D7%9B%D7%A9.pdf`],
  ['a"b\\c.txt', `filename="a_b_c.txt"; filename*=UTF-8''a%22b_c.txt`],
  ['a\r\nSet-Cookie: x=1', `filename="aSet-Cookie: x=1"; filename*=UTF-8''aSet-Cookie%3A%20x%3D1`],
  ['\u202Efdp.exe', `filename="fdp.exe"; filename*=UTF-8''fdp.exe`],
  ["it's (1)*.txt", `filename="it's (1)*.txt"; filename*=UTF-8''it%27s%20%281%29%2A.txt`],
])('the name %j is safe in a header', async (name, expected) => {
  expect(contentDisposition(name)).toBe(`attachment; ${expected}`);
  const { rows } = await server.owner.query<{ id: number }>(
    `update file_attachment set original_filename = $1 where id = $2 returning id`,
    [name, (await server.stored()).id],
  );
  const { download_url } = (await server.get(`/files/${rows[0]?.id}`)).as(getFile);
  expect((await server.download(download_url)).headers['content-disposition']).toBe(
    `attachment; ${expected}`,
  );
});

test('whatever the name, the header is one line of plain characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      expect(contentDisposition(name)).toMatch(
        /^attachment; filename="[ !#-[\]-~]*"; filename\*=UTF-8''[\w.~!%-]*$/,
      );
    }),
  );
});

test('content that the store has lost is not found, and said to be missing', async () => {
  const lost = await server.stored({ filename: 'lost' });
  await rm(join(server.services.config.data.directory, 'files', lost.s3_key));
  const response = await server.download(lost.file_url);
  expect(response.status).toBe(404);
  expect(response.json()).toMatchObject({ code: 'content_missing' });
});

test('a key of a predecessor that leads out of the folder leads nowhere', async () => {
  const { id, file_url } = await server.stored();
  await server.owner.query(`update file_attachment set s3_key = '../files.secret' where id = $1`, [id]);
  expect((await server.download(file_url)).status).toBe(404);
});

test('a large file arrives whole over HTTP', async () => {
  const content = randomBytes(8 * 1024 * 1024);
  const { response } = await requestOf(await server.stored({ filename: 'large', content }));
  expect(sha256(await buffer(response))).toBe(sha256(content));
});

test('a client that goes away in the middle of a file leaves nothing open', async () => {
  const large = await server.stored({ filename: 'large', content: randomBytes(8 * 1024 * 1024) });
  const { request, response } = await requestOf(large);
  await once(response, 'readable');
  expect(openFiles(large.s3_key)).toBe(1);
  request.destroy();
  await expect.poll(() => openFiles(large.s3_key)).toBe(0);
});

/** The content over a connection of its own. */
async function requestOf({ file_url }: Attachment) {
  if (!server.app.server.listening) await server.app.listen({ host: '127.0.0.1', port: 0 });
  const { pathname, search } = new URL(file_url);
  const request = get(`${server.app.listeningOrigin}${pathname}${search}`, { agent: false });
  request.on('error', () => undefined);
  const response = await new Promise<IncomingMessage>((resolve) => request.once('response', resolve));
  return { request, response };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** How many of this process's open files are the object. */
function openFiles(key: string): number {
  return readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).endsWith(key);
    } catch {
      return false;
    }
  }).length;
}

test('the list shows files newest first, and which nobody uses', async () => {
  const { id: purposeId } = await server.newPurpose();
  const used = await server.stored({ filename: 'used-in-list' }, `/purposes/${purposeId}/files`);
  const unused = await server.stored({ filename: 'unused-in-list' });
  const list = async (query: string) =>
    (await server.get(`/files?search=USED-in-list${query}`)).as(listFiles).items.map(({ id }) => id);
  expect(await list('')).toEqual([unused.id, used.id]);
  expect(await list('&is_linked=true')).toEqual([used.id]);
  expect(await list('&is_linked=false')).toEqual([unused.id]);
  expect(await list('&is_linked=false&page=2')).toEqual([]);
});

test('a log shows which file was asked for, and not the signature', async () => {
  const lines: string[] = [];
  const app = await buildApp({
    ...server.services,
    config: { ...server.services.config, log: { level: 'info' } },
    authenticate: () => Promise.reject(new Error('nobody signs in here')),
    logStream: { write: (line) => lines.push(line) },
  });
  const { pathname, search, searchParams } = new URL(file.file_url);
  await app.inject({ url: `${pathname}${search}&disposition=inline` });
  await app.close();
  const log = lines.join('');
  expect(log).toContain(`/files/${file.id}/content?expires=`);
  expect(log).toContain('signature=…&disposition=inline');
  expect(log).not.toContain(searchParams.get('signature'));
});
