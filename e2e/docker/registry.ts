import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/**
 * A registry in memory, as much of one as `docker push` and `docker pull` need, for images that have digests. A program of
 * its own, so that it can be started where a daemon sees it as 127.0.0.1; it prints its port.
 */

const blobs = new Map<string, Buffer>();
const uploads = new Map<string, Buffer[]>();
/** By `<name>/<tag>` and `<name>/<digest>`. */
const manifests = new Map<
  string,
  { readonly type: string; readonly body: Buffer; readonly digest: string }
>();

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', headers } = request;
  const url = new URL(request.url ?? '/', 'http://registry');
  const body = Buffer.concat(await request.toArray());
  const end = (status: number, more: Readonly<Record<string, string>> = {}, content?: Buffer): void => {
    response.writeHead(status, { 'content-length': content?.length ?? 0, ...more });
    response.end(method === 'HEAD' ? undefined : content);
  };
  const [, name = '', kind, rest = ''] = /^\/v2\/(.+)\/(blobs|manifests)\/(.*)$/.exec(url.pathname) ?? [];
  if (kind === 'manifests' && method === 'PUT') {
    const digest = digestOf(body);
    const manifest = { type: headers['content-type'] ?? '', body, digest };
    for (const reference of [rest, digest]) manifests.set(`${name}/${reference}`, manifest);
    return end(201, { 'docker-content-digest': digest });
  }
  if (kind === 'manifests') {
    const found = manifests.get(`${name}/${rest}`);
    if (!found) return end(404);
    return end(200, { 'content-type': found.type, 'docker-content-digest': found.digest }, found.body);
  }
  const upload = rest.replace('uploads/', '');
  const location = { location: `/v2/${name}/blobs/uploads/${upload || randomUUID()}` };
  if (kind === 'blobs' && method === 'POST') return end(202, location);
  if (kind === 'blobs' && (method === 'PATCH' || method === 'PUT')) {
    const chunks = [...(uploads.get(upload) ?? []), body];
    uploads.set(upload, chunks);
    const digest = url.searchParams.get('digest');
    const length = chunks.reduce((total, chunk) => total + chunk.length, 0);
    if (!digest) return end(202, { ...location, range: `0-${Math.max(0, length - 1)}` });
    blobs.set(digest, Buffer.concat(chunks));
    return end(201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest });
  }
  if (kind === 'blobs') {
    const blob = blobs.get(rest);
    return blob ? end(200, { 'docker-content-digest': rest }, blob) : end(404);
  }
  return end(url.pathname === '/v2/' ? 200 : 404);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => response.destroy(new Error(String(error))));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' ? address?.port : address);
});
// It ends with whoever started it.
process.stdin.resume().on('end', () => process.exit());
