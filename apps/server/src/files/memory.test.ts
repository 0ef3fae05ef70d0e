import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileAttachment } from '@calculaud/contract/files';
import { type S3Server, startS3 } from '@calculaud/testing/s3';
import { s3Missing } from '@calculaud/testing/s3-binary';
import { type FileServer, fileServer } from './testing/server.ts';

const MEGABYTE = 1024 * 1024;
const SIZE = 200;

/** Sends a file of so many megabytes, as fast as it is taken, and prints the answer. */
const CLIENT = `
  const { request } = require('node:http');
  const { once } = require('node:events');
  const [url, megabytes] = process.argv.slice(1);
  const headers = { 'content-type': 'multipart/form-data; boundary=b', 'x-test-role': 'admin' };
  const upload = request(url, { method: 'POST', headers, agent: false }, (answer) => answer.pipe(process.stdout));
  (async () => {
    upload.write('--b\\r\\ncontent-disposition: form-data; name="file"; filename="large.bin"\\r\\n\\r\\n');
    const piece = Buffer.alloc(1024 * 1024, 'x');
    for (let sent = 0; sent < Number(megabytes); sent += 1) {
      if (!upload.write(piece)) await once(upload, 'drain');
    }
    upload.end('\\r\\n--b--\\r\\n');
  })();
`;

/** S3 is left out where no server of it can be started; s3.test.ts says so. */
const stores: readonly ('on disk' | 'in S3')[] =
  s3Missing() === undefined ? ['on disk', 'in S3'] : ['on disk'];

describe.each(stores)('with files %s', (store) => {
  let s3: S3Server | undefined;
  let server: FileServer;

  beforeAll(async () => {
    s3 = store === 'in S3' ? await startS3() : undefined;
    server = await fileServer({ ...s3?.environment });
    await server.app.listen({ host: '127.0.0.1', port: 0 });
  });

  afterAll(async () => {
    await server.close();
    await s3?.remove();
  });

  async function send(megabytes: number) {
    const url = `${server.app.listeningOrigin}/api/v1/files/upload`;
    const client = spawn(process.execPath, ['-e', CLIENT, url, String(megabytes)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [answer] = await Promise.all([text(client.stdout), once(client, 'exit')]);
    return fileAttachment.parse(JSON.parse(answer));
  }

  test('an upload of 200 MB needs less than 60 MB of memory', async () => {
    // The first one loads code and grows the pools that every later one uses.
    await send(20);
    const before = process.memoryUsage.rss();
    let peak = before;
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage.rss())), 5);
    const file = await send(SIZE);
    clearInterval(watch);
    expect(file.file_size).toBe(SIZE * MEGABYTE);
    expect((peak - before) / MEGABYTE).toBeLessThan(60);
  }, 60_000);
});
