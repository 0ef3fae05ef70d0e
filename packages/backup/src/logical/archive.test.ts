import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BackupProblem } from '../repository/problem.ts';
import { readArchive } from './archive-read.ts';
import { writeArchive } from './archive-write.ts';
import { EXPORT_FORMAT, type ExportManifest, partName, partOf, readmeText } from './manifest.ts';

const takenAt = new Date('2026-12-01T04:00:00Z');
/** More than two parts, of rows that do not compress, in chunks that end anywhere. */
const LARGE = Array.from({ length: 3000 }, (_, row) => `${row}\t${randomBytes(2000).toString('hex')}\n`).join(
  '',
);
const TABLES: readonly (readonly [name: string, rows: string])[] = [
  ['empty', ''],
  ['large', LARGE],
  ['Odd name/ä.0001', '1\tone\n2\t\\N\n'],
  ['small', '1\n'],
];
/** Quick to read again and again, for every way to damage it. */
const FEW = TABLES.filter(([name]) => name !== 'large');

let folder: string;
let file: string;
let fileOfFew: string;
let manifest: ExportManifest;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-archive-'));
  file = join(folder, 'whole.tar');
  manifest = await write(createWriteStream(file), TABLES);
  fileOfFew = join(folder, 'few.tar');
  await write(createWriteStream(fileOfFew), FEW);
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function* chunked(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 65_521) yield bytes.subarray(at, at + 65_521);
}

async function write(out: Writable, tables: typeof TABLES): Promise<ExportManifest> {
  return writeArchive(out, { takenAt }, async (writer) => {
    const written = [];
    for (const [name, rows] of tables) {
      const columns = [{ name: 'id', type: 'integer' }];
      written.push({ name, columns, ...(await writer.addTable(name, chunked(rows))) });
    }
    const complete: ExportManifest = {
      format: EXPORT_FORMAT,
      takenAt: takenAt.toISOString(),
      appVersion: '1.0.0',
      postgresVersion: '18.4',
      database: 'calculaud',
      migrations: [{ number: 1, name: 'tables', checksum: '0'.repeat(64) }],
      tables: written,
      sequences: [],
      left: [],
    };
    await writer.finish(complete);
    return complete;
  });
}

/** Whatever else comes out is nothing that an operator could understand. */
async function problemOf(path: string): Promise<BackupProblem['kind'] | 'none'> {
  try {
    await readArchive(path);
    return 'none';
  } catch (error) {
    if (error instanceof BackupProblem) return error.kind;
    throw error;
  }
}

async function changed(change: (bytes: Buffer) => Buffer): Promise<string> {
  const path = join(folder, 'changed.tar');
  await writeFile(path, change(await readFile(fileOfFew)));
  return path;
}

async function tarOf(files: readonly (readonly [name: string, content: string | Buffer])[]): Promise<string> {
  const path = join(folder, 'made.tar');
  const archive = pack();
  for (const [name, content] of files) archive.entry({ name }, content);
  archive.finalize();
  await pipeline(archive, createWriteStream(path));
  return path;
}

describe('an archive', () => {
  test('gives back what was written, in parts that end with a row', async () => {
    const read: [string, string][] = [];
    const found = await readArchive(file, {
      onTable: async (name, rows) => {
        let text = '';
        for await (const chunk of rows) text += chunk.toString('latin1');
        read.push([name, Buffer.from(text, 'latin1').toString('utf8')]);
      },
    });
    expect(found).toEqual(manifest);
    expect(read).toEqual(TABLES.filter(([, rows]) => rows !== ''));
    const large = found.tables.find(({ name }) => name === 'large');
    expect(large).toMatchObject({ rows: 3000, bytes: LARGE.length, parts: 3 });
  });

  test('that was cut anywhere is not complete', async () => {
    const { length } = await readFile(fileOfFew);
    // What follows the last file is a kilobyte of nothing, and what fills the last file up.
    for (let cut = 0; cut < length - 1536; cut += 97) {
      const kind = await problemOf(await changed((bytes) => bytes.subarray(0, cut)));
      expect(['corrupt', 'foreign'], `cut at ${cut} of ${length}`).toContain(kind);
    }
    const { length: long } = await readFile(file);
    await truncate(file, long / 2);
    expect(await problemOf(file)).toBe('corrupt');
    await write(createWriteStream(file), TABLES);
  });

  test('with a flipped byte is found out, whatever the byte belongs to', async () => {
    const whole = await readFile(fileOfFew);
    // Zeros are mostly what fills a file up to a multiple of 512 bytes: nothing is read from there.
    const places = [...whole.keys()].filter((at) => whole[at] !== 0 && at % 7 === 0);
    expect(places.length).toBeGreaterThan(300);
    for (const at of places) {
      const path = await changed((bytes) => {
        bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
        return bytes;
      });
      expect(await problemOf(path), `flipped at ${at}`).not.toBe('none');
    }
  });

  test('of another format is refused before anything of it is read', async () => {
    const readme = readmeText('').replace('format 1', 'format 2');
    await expect(readArchive(await tarOf([['README.txt', readme]]))).rejects.toMatchObject({
      kind: 'unknown-format',
      message: expect.stringContaining('format 2'),
    });
    const manifestOnly: [string, string][] = [
      ['README.txt', readmeText('')],
      ['manifest.json', '{"format": 3}'],
    ];
    expect(await problemOf(await tarOf(manifestOnly))).toBe('unknown-format');
  });

  test('of somebody else is told apart from a damaged one', async () => {
    expect(await problemOf(await tarOf([['etc/passwd', 'root']]))).toBe('foreign');
    expect(await problemOf(await tarOf([]))).toBe('foreign');
    expect(await problemOf(await tarOf([['README.txt', 'Something else\n']]))).toBe('foreign');
    expect(await problemOf(await changed(() => randomBytes(5000)))).toBe('foreign');
    expect(await problemOf(await changed((bytes) => gzipSync(bytes)))).toBe('foreign');
    expect(await problemOf(join(folder, 'nowhere.tar'))).toBe('missing');
    expect(await problemOf(folder)).toBe('unavailable');
  });

  test('with files that were put in, taken out or mixed up is refused', async () => {
    const readme: [string, string] = ['README.txt', readmeText('')];
    const part = gzipSync('1\n');
    const first: [string, Buffer] = [partName({ table: 'small', part: 1 }), part];
    const second: [string, Buffer] = [partName({ table: 'small', part: 2 }), part];
    expect(await problemOf(await tarOf([readme]))).toBe('corrupt');
    expect(await problemOf(await tarOf([readme, second]))).toBe('corrupt');
    expect(await problemOf(await tarOf([readme, first, ['../../evil', 'x']]))).toBe('corrupt');
    expect(await problemOf(await tarOf([readme, first, ['manifest.json', '{}']]))).toBe('corrupt');
    expect(await problemOf(await tarOf([readme, first, ['manifest.json', 'null']]))).toBe('corrupt');
    expect(await problemOf(await tarOf([readme, ['manifest.json', JSON.stringify(manifest)]]))).toBe(
      'corrupt',
    );
  });

  test('is not written any further when nobody takes it, and the reason comes out', async () => {
    let taken = 0;
    const full = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        taken += chunk.length;
        done(taken < 5_000_000 ? null : new Error('no space'));
      },
    });
    await expect(write(full, TABLES)).rejects.toThrow('no space');
    expect(full.destroyed).toBe(true);
  });
});

test.each(['purpose', 'Odd name/ä', '..', 'a.0001', '%41'])(
  'the name of the table %s survives in a file name',
  (table) => {
    const name = partName({ table, part: 12 });
    expect(name).toMatch(/^tables\/[^/]+$/);
    expect(partOf(name)).toEqual({ table, part: 12 });
  },
);

test.each([
  'tables/../x.0001.tsv.gz',
  'tables/%zz.0001.tsv.gz',
  'tables/a.tsv.gz',
  'a.0001.tsv.gz',
  'tables/%61.0001.tsv.gz',
])('the name %s is of no part', (name) => {
  expect(partOf(name)).toBeUndefined();
});
