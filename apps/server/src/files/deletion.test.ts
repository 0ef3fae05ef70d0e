import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { suppliers } from '@calculaud/contract/catalog';
import { type Attachment, type FileServer, fileServer } from './testing/server.ts';

let server: FileServer;

beforeAll(async () => {
  server = await fileServer();
});

afterEach(async () => {
  await server.sql('delete from backup_watermark');
});

afterAll(async () => {
  await server.close();
});

const link = async (purposeId: number, file: Attachment) =>
  server.patch(`/purposes/${purposeId}`, { file_attachment_ids: [file.id] });

const exists = async (file: Attachment): Promise<boolean> =>
  (await server.get(`/files/${file.id}`)).status === 200;

const etagOf = async (purposeId: number): Promise<string> =>
  String((await server.get(`/purposes/${purposeId}`)).headers['etag']);

/** Two purposes that share a file. */
async function shared() {
  const [one, other] = [await server.newPurpose(), await server.newPurpose()];
  const file = await server.stored({ filename: 'shared.txt' }, `/purposes/${one.id}/files`);
  await link(other.id, file);
  return { one, other, file };
}

test('deleting a file takes it from its purposes at once, and from the store with the next sweep', async () => {
  const { one, file } = await shared();
  expect((await server.delete(`/files/${file.id}`)).status).toBe(204);
  expect(await exists(file)).toBe(false);
  expect((await server.purpose(one.id)).file_attachments).toEqual([]);
  expect((await server.download(file.file_url)).status).toBe(404);

  expect(server.objects()).toContain(file.s3_key);
  await server.sweep();
  expect(server.objects()).not.toContain(file.s3_key);
  expect(await server.announced()).not.toContain(file.s3_key);
});

test('the content of a deleted file stays until every repository of backups has it', async () => {
  const { file } = await shared();
  const watermark = async (until: string) =>
    server.sql(`insert into backup_watermark (repository, attached_until) values ('00000000-0000-0000-0000-000000000001', ${until})
      on conflict (repository) do update set attached_until = excluded.attached_until, seen_at = now()`);
  await watermark("now() - interval '1 minute'");
  await server.delete(`/files/${file.id}`);
  await server.sweep();
  expect(server.objects()).toContain(file.s3_key);
  await watermark('now()');
  await server.sweep();
  expect(server.objects()).not.toContain(file.s3_key);
});

test('a repository that nobody has heard of for two weeks holds up nothing', async () => {
  const { file } = await shared();
  await server.sql(`insert into backup_watermark (repository, attached_until, seen_at)
    values ('00000000-0000-0000-0000-000000000002', now() - interval '20 days', now() - interval '15 days')`);
  await server.delete(`/files/${file.id}`);
  await server.sweep();
  expect(server.objects()).not.toContain(file.s3_key);
});

test('deleting a file touches no purpose, but whoever read one before must read it again', async () => {
  const { one, file } = await shared();
  const before = await server.purpose(one.id);
  const etag = await etagOf(one.id);
  await server.delete(`/files/${file.id}`);
  expect((await server.purpose(one.id)).last_modified).toBe(before.last_modified);
  const edit = await server.patch(
    `/purposes/${one.id}`,
    { comments: 'x' },
    { headers: { 'if-match': etag } },
  );
  expect(edit.status).toBe(412);
});

test('deleting a file through one purpose takes it from all that share it, as in v1, and touches that one', async () => {
  const { one, other, file } = await shared();
  const before = await server.purpose(one.id);
  const otherBefore = await server.purpose(other.id);
  expect((await server.delete(`/purposes/${one.id}/files/${file.id}`)).status).toBe(204);
  expect(await exists(file)).toBe(false);
  expect((await server.purpose(one.id)).last_modified > before.last_modified).toBe(true);
  expect((await server.purpose(other.id)).file_attachments).toEqual([]);
  expect((await server.purpose(other.id)).last_modified).toBe(otherBefore.last_modified);
});

test('asked to, a purpose gives up a file only for itself, and the last user takes it along', async () => {
  const { one, other, file } = await shared();
  const remove = async (id: number) => server.delete(`/purposes/${id}/files/${file.id}?only_here=true`);
  expect((await remove(one.id)).status).toBe(204);
  expect((await server.purpose(one.id)).file_attachments).toEqual([]);
  expect((await server.purpose(other.id)).file_attachments.map(({ id }) => id)).toEqual([file.id]);
  expect((await remove(one.id)).status).toBe(404);
  expect((await remove(other.id)).status).toBe(204);
  expect(await exists(file)).toBe(false);
});

test('the icon of suppliers cannot be deleted, and its content stays', async () => {
  const { one, file } = await shared();
  for (const name of ['Icon user 1', 'Icon user 2']) {
    (await server.post('/suppliers/', { name, file_icon_id: file.id })).as(suppliers.create);
  }
  for (const path of [`/files/${file.id}`, `/purposes/${one.id}/files/${file.id}`]) {
    const response = await server.delete(path);
    expect(response.status).toBe(409);
    expect(response.json()).toMatchObject({ detail: expect.stringContaining('2 suppliers') });
  }
  await server.sweep();
  expect((await server.download(file.file_url)).status).toBe(200);
  // Nothing of the attempt remains: the purpose still shows the file.
  expect((await server.purpose(one.id)).file_attachments).toHaveLength(1);

  expect((await server.delete(`/purposes/${one.id}/files/${file.id}?only_here=true`)).status).toBe(204);
  expect(await exists(file)).toBe(true);
});

test.each([
  ['/files/2147483647', 'File with ID 2147483647 not found'],
  ['/purposes/2147483647/files/1', 'Purpose with ID 2147483647 not found'],
])('DELETE %s is not found', async (path, detail) => {
  const response = await server.delete(path);
  expect(response.status).toBe(404);
  expect(response.json()).toMatchObject({ detail });
});

test('a file of another purpose is not found in this one', async () => {
  const { file } = await shared();
  const { id } = await server.newPurpose();
  const response = await server.delete(`/purposes/${id}/files/${file.id}`);
  expect(response.status).toBe(404);
  expect(response.json()).toMatchObject({
    detail: `File with ID ${file.id} is not attached to purpose with ID ${id}`,
  });
});

test('of many who delete a file at the same time one does, and the others do not find it', async () => {
  const { one, other, file } = await shared();
  const responses = await Promise.all(
    Array.from({ length: 12 }, async (_, index) =>
      server.delete(
        [
          `/files/${file.id}`,
          `/purposes/${one.id}/files/${file.id}`,
          `/purposes/${other.id}/files/${file.id}`,
        ][index % 3] ?? '',
      ),
    ),
  );
  expect(responses.map(({ status }) => status).toSorted((one, other) => one - other)).toEqual([
    204,
    ...Array.from({ length: 11 }, () => 404),
  ]);
});

test('a file that is linked and deleted at the same time is either linked or gone, never half', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { one, file } = await shared();
    const third = await server.newPurpose();
    const [linked, deleted] = await Promise.all([
      link(third.id, file),
      server.delete(`/purposes/${one.id}/files/${file.id}?only_here=true`),
    ]);
    expect(linked.status).toBe(200);
    expect(deleted.status).toBe(204);
    expect((await server.purpose(third.id)).file_attachments).toHaveLength(1);
  }
});

test('deleting a purpose leaves its files, which the list of unused ones then shows', async () => {
  const { id } = await server.newPurpose();
  const file = await server.stored({ filename: 'left behind' }, `/purposes/${id}/files`);
  expect((await server.delete(`/purposes/${id}`)).status).toBe(204);
  await server.sweep();
  expect((await server.download(file.file_url)).status).toBe(200);
  const list = await server.get('/files?is_linked=false&search=left%20behind');
  expect(list.json()).toMatchObject({ items: [{ id: file.id }], total: 1 });
});

test('deleting a purpose takes its files along on request, save those that something else uses', async () => {
  const { one, other, file } = await shared();
  const [own, second, icon] = [
    await server.stored({ filename: 'own' }, `/purposes/${one.id}/files`),
    await server.stored({ filename: 'second' }, `/purposes/${one.id}/files`),
    await server.stored({ filename: 'icon' }, `/purposes/${one.id}/files`),
  ];
  (await server.post('/suppliers/', { name: 'Takes an icon', file_icon_id: icon.id })).as(suppliers.create);
  const etag = await etagOf(other.id);
  expect((await server.delete(`/purposes/${one.id}?delete_files=true`)).status).toBe(204);
  expect((await server.get(`/purposes/${one.id}`)).status).toBe(404);
  expect([await exists(own), await exists(second)]).toEqual([false, false]);
  expect([await exists(file), await exists(icon)]).toEqual([true, true]);
  expect((await server.purpose(other.id)).file_attachments.map(({ id }) => id)).toEqual([file.id]);
  expect(await etagOf(other.id)).toBe(etag);
  await server.sweep();
  expect(server.objects()).not.toContain(own.s3_key);
  expect(server.objects()).not.toContain(second.s3_key);
  expect(server.objects()).toEqual(expect.arrayContaining([file.s3_key, icon.s3_key]));
});

test('a refused deletion of a purpose leaves its files', async () => {
  const { id } = await server.newPurpose();
  const file = await server.stored({ filename: 'kept' }, `/purposes/${id}/files`);
  const response = await server.delete(`/purposes/${id}?delete_files=true`, {
    headers: { 'if-match': '"999"' },
  });
  expect(response.status).toBe(412);
  expect(await exists(file)).toBe(true);
  expect((await server.delete('/purposes/2147483647?delete_files=true')).status).toBe(404);
});

test('of two purposes that are deleted at the same time the last one takes a shared file along', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { one, other, file } = await shared();
    const answers = await Promise.all(
      [one, other].map(({ id }) => server.delete(`/purposes/${id}?delete_files=true`)),
    );
    expect(answers.map(({ status }) => status)).toEqual([204, 204]);
    expect(await exists(file)).toBe(false);
  }
});

test('a file that is linked while the purpose it belongs to is deleted is either linked or gone, never half', async () => {
  for (let round = 0; round < 5; round += 1) {
    const one = await server.newPurpose();
    const file = await server.stored({ filename: 'shared' }, `/purposes/${one.id}/files`);
    const other = await server.newPurpose();
    const [linked, deleted] = await Promise.all([
      link(other.id, file),
      server.delete(`/purposes/${one.id}?delete_files=true`),
    ]);
    expect(deleted.status).toBe(204);
    expect([200, 400]).toContain(linked.status);
    expect(await exists(file)).toBe(linked.status === 200);
  }
});

test('what an upload that died has left is swept after a day, and not before', async () => {
  // The server died after the object was stored, before its row was.
  const key = 'died.bin';
  await server.services.storage.put(key, Readable.from(['x']), { contentDisposition: 'attachment' });
  await server.owner.query(`insert into object_removal values ($1, now() + interval '1 minute')`, [key]);
  await server.sweep();
  expect(server.objects()).toContain(key);
  await server.owner.query('update object_removal set due_at = now() where s3_key = $1', [key]);
  await server.sweep();
  expect(server.objects()).not.toContain(key);
});

test('what a half-written upload has left is swept too', async () => {
  const { storage } = server.services;
  const key = 'half.bin';
  await storage.put(`${key}.unfinished`, Readable.from(['x']), { contentDisposition: 'attachment' });
  await server.owner.query(`insert into object_removal values ($1, now())`, [key]);
  await server.sweep();
  expect(server.objects()).not.toContain(`${key}.unfinished`);
});

test('an object that a file owns is never swept, whatever is due', async () => {
  const file = await server.stored();
  await server.owner.query(`insert into object_removal values ($1, now() - interval '1 day')`, [file.s3_key]);
  await server.sweep();
  expect((await server.download(file.file_url)).status).toBe(200);
});

test('an object that cannot be removed does not hold up the others, and is tried again', async () => {
  const [stuck, free] = [await server.stored(), await server.stored()];
  await server.delete(`/files/${stuck.id}`);
  await server.delete(`/files/${free.id}`);
  // A folder in the place of the object: removing it fails.
  const path = join(server.services.config.data.directory, 'files', stuck.s3_key);
  await rm(path);
  await mkdir(path);
  await server.sweep();
  expect(await server.announced()).not.toContain(free.s3_key);
  const { rows } = await server.owner.query<{ later: boolean }>(
    `select due_at > now() + interval '5 minutes' as later from object_removal where s3_key = $1`,
    [stuck.s3_key],
  );
  expect(rows).toEqual([{ later: true }]);
});
