import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseLsn, segmentAt } from './lsn.ts';
import { continuation, readProgress, writeProgress } from './wal-progress.ts';

const at = parseLsn;

describe('what a folder holds', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'calculaud-progress-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function put(lsn: string, { timeline = 1, size }: { timeline?: number; size?: number } = {}) {
    const path = join(folder, `${segmentAt(timeline, at(lsn))}${size === undefined ? '' : '.partial'}`);
    await writeFile(path, '');
    await truncate(path, size ?? 16 * 1024 * 1024);
  }

  test('nothing, when it is empty', async () => {
    expect(await readProgress(folder)).toEqual(new Map());
  });

  test('is noted, and stays so when the segments are taken away', async () => {
    await writeProgress(
      folder,
      new Map([
        [1, at('0/5000000')],
        [2, at('1/0')],
      ]),
    );
    expect(await readdir(folder)).toEqual(['received.json']);
    expect(await readProgress(folder)).toEqual(
      new Map([
        [1, at('0/5000000')],
        [2, at('1/0')],
      ]),
    );
  });

  test('is told by the segments when the note was not written any more, or is damaged', async () => {
    await put('0/5000000');
    await put('0/6000000');
    expect(await readProgress(folder)).toEqual(new Map([[1, at('0/7000000')]]));
    for (const damaged of ['', '{', '[]', '{"1":"x"}', '{"1":5}']) {
      await writeFile(join(folder, 'received.json'), damaged);
      expect(await readProgress(folder)).toEqual(new Map([[1, at('0/7000000')]]));
    }
  });

  test('goes on into the segment that is being received, if that one follows', async () => {
    await writeProgress(folder, new Map([[1, at('0/5000000')]]));
    await put('0/5000000', { size: 0x123 });
    expect(await readProgress(folder)).toEqual(new Map([[1, at('0/5000123')]]));
    await put('0/9000000', { size: 0x123 });
    expect(await readProgress(folder)).toEqual(new Map([[1, at('0/5000123')]]));
  });

  test('does not count a segment as received that has not got its name yet', async () => {
    await put('0/5000000', { size: 16 * 1024 * 1024 });
    expect(await readProgress(folder)).toEqual(new Map([[1, at('0/5FFFFFF')]]));
  });

  test('is told for each timeline; other files are nothing to it', async () => {
    await put('0/5000000');
    await put('0/5000000', { timeline: 2, size: 7 });
    await writeFile(join(folder, '00000002.history'), '1\t0/5000007\tx\n');
    await writeFile(join(folder, 'received.json.unfinished'), '{"1":"9/9"');
    expect(await readProgress(folder)).toEqual(
      new Map([
        [1, at('0/6000000')],
        [2, at('0/5000007')],
      ]),
    );
  });
});

describe('where to go on', () => {
  const [first, second] = [
    { timeline: 1, until: at('0/5000148') },
    { timeline: 2, until: at('0/9000148') },
  ];

  test('is unknown when nothing was received', () => {
    expect(continuation(new Map(), { timeline: 1, steps: [] })).toBeUndefined();
    expect(continuation(new Map([[7, at('0/1000000')]]), { timeline: 2, steps: [first] })).toBeUndefined();
  });

  test('is in the segment that was being received', () => {
    const progress = new Map([[1, at('0/5000123')]]);
    expect(continuation(progress, { timeline: 1, steps: [] })).toEqual({ timeline: 1, lsn: at('0/5000000') });
  });

  test('is on the timeline that was left meanwhile, as long as part of it is missing', () => {
    const progress = new Map([[1, at('0/3000000')]]);
    const server = { timeline: 3, steps: [first, second] };
    expect(continuation(progress, server)).toEqual({ timeline: 1, lsn: at('0/3000000') });
  });

  test.each(['0/5000148', '0/5000200', '0/8000000'])(
    'is at the begin of the next timeline when the one before was received up to there or further (%s)',
    (received) => {
      const server = { timeline: 3, steps: [first, second] };
      const next = { timeline: 2, lsn: at('0/5000000') };
      expect(continuation(new Map([[1, at(received)]]), server)).toEqual(next);
    },
  );

  test('is on the newest timeline that was received', () => {
    const progress = new Map([
      [1, at('0/6000000')],
      [2, at('0/7000000')],
    ]);
    const server = { timeline: 3, steps: [first, second] };
    expect(continuation(progress, server)).toEqual({ timeline: 2, lsn: at('0/7000000') });
  });

  test('is where the old timeline was left off when a restore is undone', () => {
    const progress = new Map([
      [1, at('0/6000010')],
      [2, at('0/7000000')],
    ]);
    expect(continuation(progress, { timeline: 1, steps: [] })).toEqual({ timeline: 1, lsn: at('0/6000000') });
  });
});
