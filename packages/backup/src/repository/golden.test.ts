import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFolderStore } from './folder-store.ts';
import { openRepository } from './open-repository.ts';
import { openWithKit, readRecoveryKit } from './recovery-kit.ts';
import { joined } from './testing/content.ts';
import { fillGolden } from './testing/golden.ts';

const GOLDEN = join(import.meta.dirname, 'testing/golden');
const formats = [1];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-golden-'));
});
afterAll(async () => rm(folder, { recursive: true, force: true }));

test('every format that ever was is read here', async () => {
  expect(await readdir(GOLDEN)).toEqual(
    formats.flatMap((format) => [`format-${format}.kit.txt`, `format-${format}.tar.gz`]),
  );
});

describe.each([
  ['as it was committed', async (root: string) => unpacked(1, root)],
  ['as this version writes it', async (root: string) => fillGolden(await openFolderStore(root))],
])('a repository of format 1, %s', (name, make) => {
  test('is opened by its recovery kit alone, and gives back every kind of object', async () => {
    const root = join(folder, name.replaceAll(' ', '-'));
    const kit = readRecoveryKit(await make(root));
    expect(kit.addresses).toEqual(['/srv/backup']);
    const store = await openFolderStore(root);
    const repository = await openRepository(store, await openWithKit(store, kit));

    const [manifest, ...more] = await repository.listManifests();
    expect(more).toEqual([]);
    expect(manifest).toMatchObject({
      format: 1,
      id: '20261201T060000Z-0123abcd',
      reason: 'requested',
      startedAt: '2026-12-01T06:00:00.000Z',
      finishedAt: '2026-12-01T06:00:07.000Z',
      appVersion: '2.0.0',
      postgresVersion: '18.4',
      systemId: '7300000000000000001',
      timeline: 1,
      startLsn: '0/2000028',
      stopLsn: '0/3000060',
      migration: '0001_first',
      tables: { purpose: 3 },
      directories: ['base', 'base/1', 'pg_wal'],
      attached: { watermark: '2026-12-01T06:00:05.000Z', objects: 0, bytes: 0 },
    });
    if (!manifest || 'unreadable' in manifest) throw new Error('the manifest is not readable');
    const contents = await Promise.all(
      manifest.files.map(async ({ chunks }) => String(await joined(repository.getContent(chunks)))),
    );
    expect(contents).toEqual(['eighteen\n', '', 'A line that the organisation entered.\n'.repeat(40_000)]);
    expect(String(await joined(repository.getContent(manifest.postgresManifest.chunks)))).toBe(
      'manifest of 20261201T060000Z-0123abcd',
    );

    const systemId = '7300000000000000001';
    const whole = await repository.getSegment({ systemId, segment: '000000010000000000000002' });
    expect(whole?.partial).toBe(false);
    expect(whole?.content.equals(Buffer.alloc(16 * 1024 * 1024, 'log'))).toBe(true);
    const partial = await repository.getSegment({ systemId, segment: '000000010000000000000003' });
    expect(partial).toEqual({ content: Buffer.alloc(1000, 'log'), partial: true });
    expect((await repository.listSegments(systemId)).map(({ segment }) => segment)).toEqual([
      '000000010000000000000002',
      '000000010000000000000003',
    ]);
    expect(await repository.listTimelines(systemId)).toEqual([{ timeline: 2, since: expect.any(Date) }]);
    expect(String(await repository.getTimelineHistory(systemId, 2))).toBe(
      '1\t0/3000000\tno recovery target specified\n',
    );
    expect(await repository.listGaps(systemId)).toEqual([
      {
        systemId,
        timeline: 1,
        fromLsn: '0/5000000',
        toLsn: '0/6000000',
        noticedAt: '2026-12-01T06:30:00.000Z',
        reason: 'the slot was lost',
      },
    ]);

    const attached = await repository.getAttached('files/00000000-0000-4000-8000-000000000001.pdf');
    expect(String(await joined(repository.getContent(attached?.chunks ?? [])))).toBe('eighteen\n');
    const listed: string[] = [];
    for await (const { key } of repository.listAttached()) listed.push(key);
    expect(listed).toEqual(['files/00000000-0000-4000-8000-000000000001.pdf']);
    expect(await repository.listRecords('drills')).toEqual([
      { name: '20261201T070000Z', record: { verdict: 'green' } },
    ]);
    // What is there already is recognised: a newer version goes on where an older one stopped.
    const again = await repository.putContent(lines());
    expect(again).toMatchObject({ newBytes: 0, chunks: manifest.files[2]?.chunks });
  });
});

async function* lines(): AsyncGenerator<Buffer> {
  for (let line = 0; line < 40_000; line += 1) yield Buffer.from('A line that the organisation entered.\n');
}

async function unpacked(format: number, root: string): Promise<string> {
  const archive = extract();
  const reading = pipeline(
    createReadStream(join(GOLDEN, `format-${format}.tar.gz`)),
    createGunzip(),
    archive,
  );
  for await (const entry of archive) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part);
    if (entry.header.type !== 'file') continue;
    const path = join(root, entry.header.name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, Buffer.concat(parts));
  }
  await reading;
  return readFile(join(GOLDEN, `format-${format}.kit.txt`), 'utf8');
}
