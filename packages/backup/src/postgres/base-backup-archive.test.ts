import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ArchiveEntry, ArchiveReader } from './base-backup-archive.ts';

const big = randomBytes(100_000);

/** As the server makes one. */
async function archive(): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: 'base/', type: 'directory', mode: 0o700 });
  tar.entry({ name: 'PG_VERSION', mode: 0o600 }, '18\n');
  tar.entry({ name: 'base/empty', mode: 0o600 }, '');
  tar.entry({ name: 'base/block', mode: 0o600 }, big.subarray(0, 512));
  tar.entry({ name: 'base/big', mode: 0o640 }, big);
  tar.entry({ name: 'pg_tblspc/16384', type: 'symlink', linkname: '/srv' });
  tar.finalize();
  return buffer(tar);
}

async function* partsOf(content: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

async function read(content: Buffer, size: number) {
  const reader = new ArchiveReader(partsOf(content, size));
  const found: { entry: ArchiveEntry; content: Buffer }[] = [];
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    const parts: Buffer[] = [];
    for await (const part of reader.content()) parts.push(part);
    found.push({ entry, content: Buffer.concat(parts) });
  }
  return found;
}

describe('the archive of a base backup', () => {
  test.each([1, 100, 512, 513, 32_768, 1_000_000])('is read in parts of %d bytes', async (size) => {
    const found = await read(await archive(), size);
    expect(found.map(({ entry }) => [entry.name, entry.type, entry.mode, entry.size])).toEqual([
      ['base/', 'directory', 0o700, 0],
      ['PG_VERSION', 'file', 0o600, 3],
      ['base/empty', 'file', 0o600, 0],
      ['base/block', 'file', 0o600, 512],
      ['base/big', 'file', 0o640, 100_000],
      ['pg_tblspc/16384', 'link', expect.any(Number), 0],
    ]);
    expect(found[1]?.content.toString()).toBe('18\n');
    expect(found[3]?.content.equals(big.subarray(0, 512))).toBe(true);
    expect(found[4]?.content.equals(big)).toBe(true);
  });

  test('may hold a file of more than eight GiB', async () => {
    const tar = pack();
    tar.entry({ name: 'large', size: 9 * 1024 ** 3 });
    await once(tar, 'readable');
    const reader = new ArchiveReader(partsOf(z.instanceof(Buffer).parse(tar.read()), 512));
    expect(await reader.next()).toMatchObject({ name: 'large', size: 9 * 1024 ** 3 });
    await expect(reader.next()).rejects.toThrow(/left with \d+ bytes/);
  });

  test('that was cut is not complete, wherever it was cut', async () => {
    const whole = await archive();
    for (const at of [0, 100, 600, 2000, 10_000, whole.length - 1024]) {
      await expect(read(whole.subarray(0, at), 512)).rejects.toThrow('ended in the middle');
    }
  });

  test('with a damaged header is refused', async () => {
    const whole = await archive();
    whole[3] = 0x41;
    await expect(read(whole, 512)).rejects.toThrow('another checksum');
  });
});
