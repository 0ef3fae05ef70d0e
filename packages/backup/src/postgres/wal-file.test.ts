import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type FileMethods, fileMethods } from './testing/file-methods.ts';
import { WalFile } from './wal-file.ts';

const SIZE = 16 * 1024 * 1024;
const SEGMENT = '000000010000000000000005';
const START = 0x500_0000n;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-wal-file-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function openFile({ trusted = true } = {}): Promise<WalFile> {
  return WalFile.open(folder, { timeline: 1, start: START, trusted });
}

async function partial(): Promise<string> {
  return readFile(join(folder, `${SEGMENT}.partial`), 'utf8');
}

test('a segment is partial until it is full, and takes no more than fits', async () => {
  const file = await openFile();
  expect(await file.write(Buffer.alloc(SIZE - 3, 'a'))).toBe(SIZE - 3);
  expect([file.full, file.end, file.syncedEnd]).toEqual([false, START + BigInt(SIZE - 3), START]);
  await file.sync();
  expect(file.syncedEnd).toBe(file.end);
  expect(await file.write(Buffer.from('12345'))).toBe(3);
  expect(file.full).toBe(true);
  expect(await readdir(folder)).toEqual([`${SEGMENT}.partial`]);
  await file.complete();
  expect(await readdir(folder)).toEqual([SEGMENT]);
  expect((await readFile(join(folder, SEGMENT))).subarray(-5).toString()).toBe('aa123');
});

test('what comes again is compared, and the file is never shorter meanwhile than it was', async () => {
  await writeFile(join(folder, `${SEGMENT}.partial`), 'received before');
  const file = await openFile();
  expect([file.end, file.syncedEnd]).toEqual([START, START]);
  await file.write(Buffer.from('received'));
  expect(await partial()).toBe('received before');
  await file.sync();
  expect(file.syncedEnd).toBe(START + 8n);
  await file.write(Buffer.from(' before, and after'));
  await file.close();
  expect(await partial()).toBe('received before, and after');
});

test('what is not the same as before is replaced, with all that followed it', async () => {
  await writeFile(join(folder, `${SEGMENT}.partial`), 'received, then garbage of a crash');
  const file = await openFile();
  await file.write(Buffer.from('received'));
  await file.write(Buffer.from(', now it is'));
  await file.close();
  expect(await partial()).toBe('received, now it is');
});

test('after a sync that failed nothing counts as synced, and everything is written again', async () => {
  const handles = await fileMethods();
  const file = await openFile();
  await file.write(Buffer.from('lost'));
  vi.spyOn(handles, 'datasync').mockRejectedValueOnce(
    Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }),
  );
  await expect(file.sync()).rejects.toMatchObject({ kind: 'unavailable' });
  // The system would say that all is well now.
  await expect(file.sync()).rejects.toMatchObject({ kind: 'unavailable' });
  await expect(file.close()).rejects.toMatchObject({ kind: 'unavailable' });
  expect([file.failed, file.syncedEnd]).toEqual([true, START]);

  const again = await openFile({ trusted: false });
  const write = vi.spyOn(handles, 'write');
  await again.write(Buffer.from('lost'));
  expect(write).toHaveBeenCalledTimes(1);
  await again.close();
  expect(await partial()).toBe('lost');
});

test('a write that only a part of is taken goes on with the rest', async () => {
  const handles = await fileMethods();
  vi.spyOn(handles, 'write').mockImplementation(async function (this: FileMethods, bytes, from, _, at) {
    await this.writev([bytes.subarray(from, from + 1)], at);
    return { bytesWritten: 1, buffer: bytes };
  });
  const file = await openFile();
  expect(await file.write(Buffer.from('bytes'))).toBe(5);
  await file.close();
  expect(await partial()).toBe('bytes');
});

test('a full disk is told as such', async () => {
  await symlink('/dev/full', join(folder, `${SEGMENT}.partial`));
  const file = await openFile();
  await expect(file.write(Buffer.from('x'))).rejects.toMatchObject({
    kind: 'full',
    message: expect.stringContaining('the disk is full (ENOSPC). Make room there'),
  });
  expect(file.end).toBe(START);
  await file.close();
});

test('a folder that is not there is told, too', async () => {
  await rm(folder, { recursive: true });
  await expect(openFile()).rejects.toMatchObject({
    kind: 'unavailable',
    message: expect.stringContaining('ENOENT'),
  });
});
