import { afterEach, expect, test } from 'vitest';
import { getFile } from '@calculaud/contract/files';
import { type FileServer, fileServer } from './testing/server.ts';

/** By which address clients come, and where the links lead that they get. */

let server: FileServer;
afterEach(() => server.close());

async function linkFor(
  environment: Record<string, string>,
  headers: Record<string, string>,
): Promise<string> {
  server = await fileServer(environment);
  const { id } = await server.stored({ filename: 'a.txt' }, undefined, headers);
  return new URL((await server.get(`/files/${id}`, { headers })).as(getFile).download_url).origin;
}

test('a link leads to where the request came in, as in v1', async () => {
  expect(await linkFor({}, { host: 'any.example.org:8000' })).toBe('http://any.example.org:8000');
});

test('a link leads to the public address, whatever the request says', async () => {
  const link = await linkFor(
    { CALCULAUD_PUBLIC_URL: 'https://procurement.example.org/', CALCULAUD_TRUSTED_PROXIES: 'loopback' },
    { host: 'evil.example.org', 'x-forwarded-host': 'worse.example.org' },
  );
  expect(link).toBe('https://procurement.example.org');
});

test('a public address may have a path, for a proxy that takes it away', async () => {
  server = await fileServer({ CALCULAUD_PUBLIC_URL: 'https://example.org/procurement' });
  const { file_url } = await server.stored();
  expect(file_url).toMatch(/^https:\/\/example\.org\/procurement\/api\/v1\/files\/\d+\/content\?/);
});

test('with a list of names, requests under another are refused; health answers under any', async () => {
  server = await fileServer({
    CALCULAUD_ALLOWED_HOSTS: 'Procurement.example.org,::1',
    CALCULAUD_PUBLIC_URL: 'https://public.example.org',
  });
  const statusUnder = async (host: string, path = '/suppliers') =>
    (await server.get(path, { headers: { host } })).status;
  expect(await statusUnder('procurement.EXAMPLE.org:8000')).toBe(200);
  expect(await statusUnder('[::1]:8000')).toBe(200);
  expect(await statusUnder('public.example.org')).toBe(200);
  expect(await statusUnder('evil.example.org')).toBe(421);
  expect(await statusUnder('evil.example.org', '//health')).toBe(200);
});
