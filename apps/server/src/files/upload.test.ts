import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { uploadFile } from '@calculaud/contract/files';
import { form, formHeaders } from './testing/form.ts';
import { type FileServer, fileServer } from './testing/server.ts';

let server: FileServer;

beforeAll(async () => {
  server = await fileServer({ MAX_FILE_SIZE_MB: '1' });
});

afterAll(async () => {
  await server.close();
});

test('an upload is stored under a key of its own and described', async () => {
  const file = await server.stored({
    filename: 'Plan.PDF',
    contentType: 'application/pdf',
    content: 'four',
  });
  expect(file).toMatchObject({
    file_id: file.id,
    original_filename: 'Plan.PDF',
    mime_type: 'application/pdf',
    file_size: 4,
  });
  expect(file.s3_key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.pdf$/);
  expect(Math.abs(Date.parse(file.uploaded_at) - Date.now())).toBeLessThan(60_000);
  const path = join(server.services.config.data.directory, 'files', file.s3_key);
  expect(await readFile(path, 'utf8')).toBe('four');
  expect(await server.announced()).not.toContain(file.s3_key);
});

test('a file without a type is an octet stream, as in v1', async () => {
  expect((await server.stored({ filename: 'a' })).mime_type).toBe('application/octet-stream');
});

test('a file of no bytes is a file', async () => {
  const file = await server.stored({ filename: 'empty.txt', content: '' });
  expect(file.file_size).toBe(0);
  const content = await server.download(file.file_url);
  expect(content.status).toBe(200);
  expect(content.headers['content-length']).toBe('0');
});

test('exactly the limit passes; one byte more is refused, and nothing is left of it', async () => {
  const limit = 1024 * 1024;
  expect((await server.stored({ filename: 'full', content: randomBytes(limit) })).file_size).toBe(limit);

  const before = server.objects();
  const response = await server.upload({ filename: 'fuller', content: randomBytes(limit + 1) });
  expect(response.status).toBe(413);
  expect(response.json()).toMatchObject({
    detail: expect.stringMatching(/File size.* exceeds maximum allowed size.* 1 MB/),
  });
  expect(server.objects()).toEqual(before);
});

test('what is too large by its declared length is refused unread', async () => {
  const response = await server.upload({ filename: 'a' }, '/files/upload', { 'content-length': '3000000' });
  expect(response.status).toBe(413);
});

test.each([
  ['a form without a file', { field: 'other', filename: 'a' }],
  ['a text field in the place of the file', { filename: undefined }],
  ['an empty name', { filename: '' }],
  ['a name of more than 255 characters', { filename: 'א'.repeat(256) }],
  ['a name with a NUL', { filename: 'a\0b' }],
  ['a type of more than 100 characters', { filename: 'a', contentType: `text/${'x'.repeat(96)}` }],
])('%s is refused, naming the field, and nothing is stored', async (_, file) => {
  const [objects, announced] = [server.objects(), await server.announced()];
  const response = await server.upload(file);
  expect(response.status).toBe(422);
  expect(response.json()).toMatchObject({ detail: [{ loc: ['body', 'file'] }] });
  expect(server.objects()).toEqual(objects);
  expect(await server.announced()).toEqual(announced);
});

test.each([
  ['JSON', { 'content-type': 'application/json' }, '{"file": "x"}'],
  ['a form without a boundary', { 'content-type': 'multipart/form-data' }, 'x'],
  ['an empty form', formHeaders, ''],
  ['a form that breaks off after the file', formHeaders, form({ filename: 'a' }).subarray(0, -4)],
  ['a form that breaks off in the file', formHeaders, form({ filename: 'a' }).subarray(0, -30)],
])('%s is refused, naming the field, and nothing is left in the store', async (_, headers, body) => {
  const before = server.objects();
  const response = await server.post('/files/upload', body, { headers });
  expect(response.status).toBe(422);
  expect(response.json()).toMatchObject({ detail: [{ loc: ['body', 'file'] }] });
  expect(server.objects()).toEqual(before);
});

test('a name of 255 Hebrew characters passes, and only harmless extensions reach the key', async () => {
  const name = 'א'.repeat(255);
  expect((await server.stored({ filename: name })).original_filename).toBe(name);
  expect((await server.stored({ filename: 'דוח.מסמך' })).s3_key).toMatch(/\.מסמך$/);
  expect((await server.stored({ filename: 'x../../etc/passwd' })).s3_key).toMatch(/^[0-9a-f-]{36}$/);
  expect((await server.stored({ filename: 'a.tar.GZ' })).s3_key).toMatch(/^[0-9a-f-]{36}\.gz$/);
});

test('a reader may not upload, and nobody may without credentials', async () => {
  for (const [role, status] of [
    ['user', 403],
    [null, 401],
  ] as const) {
    for (const path of ['/files/upload', '/purposes/1/files']) {
      const response = await server.post(path, form({ filename: 'a' }), { headers: formHeaders, role });
      expect(response.status).toBe(status);
    }
  }
});

test('an upload to a purpose attaches the file and touches the purpose', async () => {
  const before = await server.newPurpose();
  const file = await server.stored({ filename: 'a.txt' }, `/purposes/${before.id}/files`);
  const after = await server.purpose(before.id);
  expect(after.file_attachments.map(({ id }) => id)).toEqual([file.id]);
  expect(after.last_modified > before.last_modified).toBe(true);
});

test('an upload to an unknown purpose is not read at all', async () => {
  const response = await server.upload({ filename: '' }, '/purposes/2147483647/files');
  expect(response.status).toBe(404);
  expect(response.json()).toMatchObject({ detail: 'Purpose with ID 2147483647 not found' });
});

test('an upload on the grounds of an older state of the purpose is refused', async () => {
  const { id } = await server.newPurpose();
  const etag = String((await server.get(`/purposes/${id}`)).headers['etag']);
  const path = `/purposes/${id}/files`;
  (await server.upload({ filename: 'a' }, path, { 'if-match': etag })).as(uploadFile);
  expect((await server.upload({ filename: 'b' }, path, { 'if-match': etag })).status).toBe(412);
});

test('when the database does not take the row, nothing is left in the store', async () => {
  const { id } = await server.newPurpose();
  await server.owner.query(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no place'; end $$;
    create trigger refuse before insert on file_attachment for each row
      when (new.original_filename = 'doomed') execute function refuse()`);
  const before = server.objects();
  const response = await server.upload({ filename: 'doomed' }, `/purposes/${id}/files`);
  expect(response.status).toBe(500);
  expect(response.text).not.toContain('no place');
  expect(server.objects()).toEqual(before);
  expect((await server.purpose(id)).file_attachments).toEqual([]);
});

test('when the purpose is deleted during the upload, nothing is left in the store', async () => {
  const { id } = await server.newPurpose();
  await server.owner.query(`
    create function delete_it() returns trigger language plpgsql as $$
      begin delete from purpose where id = ${id}; return null; end $$;
    create trigger delete_it after insert on object_removal execute function delete_it()`);
  const before = server.objects();
  const response = await server.upload({ filename: 'late' }, `/purposes/${id}/files`);
  await server.owner.query('drop trigger delete_it on object_removal');
  expect(response.status).toBe(404);
  expect(server.objects()).toEqual(before);
});

test('an upload that took more than a day does not own what the sweep may have removed', async () => {
  await server.owner.query(`
    create function age() returns trigger language plpgsql as $$
      begin new.due_at := now() - interval '1 minute'; return new; end $$;
    create trigger age before insert on object_removal for each row execute function age()`);
  const before = server.objects();
  const response = await server.upload({ filename: 'slow' });
  await server.owner.query('drop trigger age on object_removal');
  expect(response.status).toBe(408);
  expect(server.objects()).toEqual(before);
});

/** A connection that has begun with an upload, of a length that is not known before. */
async function uploading(): Promise<Socket> {
  if (!server.app.server.listening) await server.app.listen({ host: '127.0.0.1', port: 0 });
  const connection = connect(Number(new URL(server.app.listeningOrigin).port), '127.0.0.1');
  connection.write(
    `POST /api/v1/files/upload HTTP/1.1\r\nhost: localhost\r\nx-test-role: admin\r\n` +
      `content-type: ${formHeaders['content-type']}\r\ntransfer-encoding: chunked\r\n\r\n`,
  );
  send(connection, form({ filename: 'interrupted', content: randomBytes(100_000) }).subarray(0, -100));
  return connection;
}

function send(connection: Socket, bytes: Uint8Array): boolean {
  return connection.write(
    Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]),
  );
}

test('a sender who goes away in the middle leaves nothing in the store', async () => {
  const before = server.objects();
  const connection = await uploading();
  await expect.poll(() => server.objects()).toContainEqual(expect.stringMatching(/\.unfinished$/));
  connection.destroy();
  await expect.poll(() => server.objects()).toEqual(before);
});

test('a sender who is still at it when the limit is reached can finish, is told, and may go on', async () => {
  const before = server.objects();
  const connection = await uploading();
  let answers = '';
  connection.setEncoding('utf8').on('data', (text) => {
    answers += String(text);
  });
  const megabyte = randomBytes(1024 * 1024);
  for (let count = 0; count < 20; count += 1) {
    if (!send(connection, megabyte)) await once(connection, 'drain');
  }
  connection.write('0\r\n\r\nGET /api/v1/files/0 HTTP/1.1\r\nhost: localhost\r\nx-test-role: admin\r\n\r\n');
  await expect.poll(() => answers.match(/(?<=HTTP\/1\.1 )\d+/g)).toEqual(['413', '404']);
  connection.destroy();
  expect(server.objects()).toEqual(before);
});
