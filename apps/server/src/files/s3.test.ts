import { createHash, randomBytes } from 'node:crypto';
import { HeadObjectCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { uploadFile } from '@calculaud/contract/files';
import { type S3Server, startS3 } from '@calculaud/testing/s3';
import { s3Missing } from '@calculaud/testing/s3-binary';
import { type FileServer, fileServer } from './testing/server.ts';

const missing = s3Missing();
if (missing !== undefined) {
  if (process.env['CI']) throw new Error(missing);
  process.stderr.write(`${missing}\n`);
}

describe.skipIf(missing !== undefined)('files in S3', () => {
  let s3: S3Server;
  let server: FileServer;
  let client: S3Client;

  beforeAll(async () => {
    s3 = await startS3();
    server = await fileServer(s3.environment);
    client = new S3Client({
      endpoint: s3.environment['S3_ENDPOINT_URL'] ?? '',
      forcePathStyle: true,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test-access-key', secretAccessKey: 'test-secret-key' },
    });
  });

  afterAll(async () => {
    client.destroy();
    await server.close();
    await s3.remove();
  });

  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

  /** What the link leads to, as bytes. */
  const content = async (url: string, headers: Record<string, string> = {}) => {
    const { pathname, search } = new URL(url);
    const response = await server.app.inject({ url: `${pathname}${search}`, headers });
    return { status: response.statusCode, headers: response.headers, bytes: response.rawPayload };
  };

  const uploadsInProgress = async (): Promise<number> => {
    const { Uploads = [] } = await client.send(
      new ListMultipartUploadsCommand({ Bucket: 'calculaud-files' }),
    );
    return Uploads.length;
  };

  test.each([
    ['of no bytes', 0],
    ['of some bytes', 1000],
    ['of many parts', 12 * 1024 * 1024 + 1],
  ])('a file %s comes back as it was', async (_, size) => {
    const bytes = randomBytes(size);
    const file = await server.stored({ filename: 'plan.PDF', content: bytes });
    expect(file.s3_key).toMatch(/^files\/[0-9a-f-]{36}\.pdf$/);
    expect(file.file_size).toBe(size);
    expect(s3.keys()).toContain(file.s3_key);
    const answer = await content(file.file_url);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-length']).toBe(String(size));
    expect(sha256(answer.bytes)).toBe(sha256(bytes));
  });

  test('a part of a file is read as such', async () => {
    const file = await server.stored({ filename: 'x', content: '0123456789' });
    const answer = await content(file.file_url, { range: 'bytes=3-5' });
    expect([answer.status, answer.bytes.toString()]).toEqual([206, '345']);
    expect(answer.headers['content-range']).toBe('bytes 3-5/10');
  });

  test('an object bears the name of its file, whatever that holds', async () => {
    const file = await server.stored({ filename: String.raw`דוח \"א\".txt` });
    const head = await client.send(new HeadObjectCommand({ Bucket: 'calculaud-files', Key: file.s3_key }));
    expect(head.ContentDisposition).toBe(
      `attachment; filename="___ ___.txt"; filename*=UTF-8''%D7%93%D7%95%D7%97%20%22%D7%90%22.txt`,
    );
  });

  test('a file of the predecessor is served as it lies there', async () => {
    const file = await server.stored({ filename: 'x', content: 'old' });
    const key = 'files/0b0e7a1c-1111-4222-8333-444455556666.מסמך ישן';
    await server.services.storage.put(
      key,
      (async function* () {
        yield Buffer.from('predecessor');
      })(),
      { contentDisposition: 'attachment' },
    );
    await server.owner.query('update file_attachment set s3_key = $1 where id = $2', [key, file.id]);
    expect((await content(file.file_url)).bytes.toString()).toBe('predecessor');
  });

  test('a deleted file leaves the bucket with the next sweep', async () => {
    const file = await server.stored();
    await server.delete(`/files/${file.id}`);
    expect(s3.keys()).toContain(file.s3_key);
    await server.sweep();
    expect(s3.keys()).not.toContain(file.s3_key);
    expect((await content(file.file_url)).status).toBe(404);
  });

  test('an object that somebody removed behind our back is said to be missing', async () => {
    const file = await server.stored();
    await server.services.storage.delete(file.s3_key);
    const answer = await content(file.file_url);
    expect(answer.status).toBe(404);
    expect(answer.bytes.toString()).toContain('content_missing');
  });

  test('an upload that breaks off leaves neither an object nor parts of one', async () => {
    const limited = await fileServer({ ...s3.environment, MAX_FILE_SIZE_MB: '11' });
    try {
      const before = s3.keys();
      const response = await limited.upload({ filename: 'x', content: randomBytes(11 * 1024 * 1024 + 1) });
      expect(response.status).toBe(413);
      expect(s3.keys().filter((key) => !before.includes(key) && !key.startsWith('.'))).toEqual([]);
      expect(await uploadsInProgress()).toBe(0);
    } finally {
      await limited.close();
    }
  });

  test('while the store is away uploads fail with v1 words, downloads say so, and deletions wait', async () => {
    const [kept, deleted] = [await server.stored(), await server.stored()];
    await s3.stop();
    try {
      const upload = await server.upload({ filename: 'x' });
      expect(upload.status).toBe(500);
      expect(upload.json()).toMatchObject({ detail: expect.stringContaining('Failed to upload file') });
      expect(upload.json()).toMatchObject({ request_id: expect.any(String) });
      expect(upload.text).not.toMatch(/127\.0\.0\.1|ECONNREFUSED/);
      expect((await content(kept.file_url)).status).toBe(503);
      expect((await server.delete(`/files/${deleted.id}`)).status).toBe(204);
      await server.sweep();
      expect(await server.announced()).toContain(deleted.s3_key);
    } finally {
      await s3.start();
    }
    expect((await content(kept.file_url)).status).toBe(200);
    await server.owner.query('update object_removal set due_at = now()');
    await server.sweep();
    expect(s3.keys()).not.toContain(deleted.s3_key);
    expect(await server.announced()).toEqual([]);
    (await server.upload({ filename: 'again' })).as(uploadFile);
  });

  test('with wrong credentials nothing is stored, and the check says why', async () => {
    const stranger = await fileServer({ ...s3.environment, AWS_SECRET_ACCESS_KEY: 'wrong' });
    try {
      const before = s3.keys();
      expect((await stranger.upload({ filename: 'x' })).status).toBe(500);
      expect(s3.keys()).toEqual(before);
      await expect(stranger.services.storage.check()).rejects.toThrow('access is denied');
      await expect(server.services.storage.check()).resolves.toBeUndefined();
    } finally {
      await stranger.close();
    }
  });

  test('without its bucket the store is not usable', async () => {
    const elsewhere = await fileServer({ ...s3.environment, S3_BUCKET_NAME: 'another-bucket' });
    try {
      await expect(elsewhere.services.storage.check()).rejects.toThrow('there is no such bucket');
      expect((await elsewhere.upload({ filename: 'x' })).status).toBe(500);
    } finally {
      await elsewhere.close();
    }
  });
});
