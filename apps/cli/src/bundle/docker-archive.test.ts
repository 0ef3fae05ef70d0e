import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { pack } from 'tar-stream';
import { filesOfArchive, takeApart } from './docker-archive.ts';
import { imageConfig, sha256 } from './testing/bundle.ts';

/** Larger than what is kept in memory until it is known what it is. */
const LARGE = Buffer.alloc(1_200_000, 'large');
const SMALL = Buffer.alloc(1500, 'small');

type Entry = { name: string; content?: Buffer | string; linkname?: string; type?: 'directory' | 'link' };

function archive(entries: readonly Entry[]): Readable {
  const tar = pack();
  for (const { name, content, linkname, type = linkname ? 'symlink' : 'file' } of entries) {
    tar.entry({ name, type, linkname: linkname ?? null }, content ?? '');
  }
  tar.finalize();
  return Readable.from(tar);
}

async function apart(entries: readonly Entry[]) {
  const stored = new Map<string, Buffer>();
  const images = await takeApart(archive(entries), async (path, size, content) => {
    const chunks = [];
    for await (const chunk of content) chunks.push(chunk);
    expect(Buffer.concat(chunks).length).toBe(size);
    stored.set(path, Buffer.concat(chunks));
  });
  return { images, stored };
}

const config = imageConfig([LARGE, SMALL]);
const id = `sha256:${sha256(config)}`;
const layerIds = [`sha256:${sha256(LARGE)}`, `sha256:${sha256(SMALL)}`];

test('what engines of today write is taken apart, and what no image needs is left out', async () => {
  const blob = (content: Buffer): string => `blobs/sha256/${sha256(content)}`;
  const { images, stored } = await apart([
    { name: 'blobs', type: 'directory' },
    { name: blob(LARGE), content: LARGE },
    { name: blob(SMALL), content: SMALL },
    { name: blob(config), content: config },
    { name: `blobs/sha256/${'0'.repeat(64)}`, content: 'an old description of a layer' },
    { name: 'index.json', content: '{}' },
    {
      name: 'manifest.json',
      content: JSON.stringify([
        {
          Config: blob(config),
          RepoTags: ['calculaud:1'],
          Layers: [blob(LARGE), blob(SMALL)],
          LayerSources: {},
        },
      ]),
    },
    { name: 'oci-layout', content: '{}' },
    { name: 'repositories', content: '{}' },
  ]);
  expect(images).toEqual([
    {
      id,
      tags: ['calculaud:1'],
      config: blob(config),
      layers: [
        { path: blob(LARGE), id: layerIds[0] },
        { path: blob(SMALL), id: layerIds[1] },
      ],
    },
  ]);
  expect([...stored.keys()]).toEqual([LARGE, SMALL, config].map(blob));
  expect(stored.get(blob(LARGE))?.equals(LARGE)).toBe(true);
});

test('a layer that two images share is a link with older engines; it is stored once', async () => {
  const { images, stored } = await apart([
    { name: 'a/VERSION', content: '1.0' },
    { name: 'a/layer.tar', content: LARGE },
    { name: 'b/layer.tar', content: SMALL },
    { name: 'c/layer.tar', linkname: '../a/layer.tar' },
    { name: 'config.json', content: config },
    {
      name: 'manifest.json',
      content: JSON.stringify([
        { Config: 'config.json', RepoTags: null, Layers: ['a/layer.tar', 'b/layer.tar'] },
        { Config: 'config.json', RepoTags: ['other:1'], Layers: ['c/layer.tar', 'b/layer.tar'] },
      ]),
    },
  ]);
  expect([...stored.keys()]).toEqual(['a/layer.tar', 'b/layer.tar', 'config.json']);
  expect(images.map(({ tags, layers }) => [tags, layers.map(({ path }) => path)])).toEqual([
    [[], ['a/layer.tar', 'b/layer.tar']],
    [['other:1'], ['a/layer.tar', 'b/layer.tar']],
  ]);
});

describe('an archive is no whole one', () => {
  const list = (layers: readonly string[]): Entry => ({
    name: 'manifest.json',
    content: JSON.stringify([{ Config: 'config.json', Layers: layers }]),
  });
  test.each<[string, readonly Entry[], string]>([
    ['without a list', [], 'docker save wrote no manifest.json'],
    ['without a configuration', [list(['a', 'b'])], 'wrote no configuration config.json, which it names'],
    [
      'without a layer',
      [{ name: 'config.json', content: config }, list(['a', 'b'])],
      'wrote no a, which it names',
    ],
    [
      'with a layer less than the image has',
      [{ name: 'config.json', content: config }, list(['a'])],
      'wrote 1 layers of an image that has 2',
    ],
    ['with something strange', [{ name: 'x', type: 'link', linkname: 'y' }], 'wrote x, which is a link'],
  ])('%s', async (_, entries, problem) => {
    await expect(apart(entries)).rejects.toThrow(problem);
  });

  test('when it ends in the middle', async () => {
    const whole = Buffer.concat(await archive([{ name: 'a/layer.tar', content: LARGE }]).toArray());
    const half = Readable.from([whole.subarray(0, 600_000)]);
    await expect(takeApart(half, async (_path, _size, content) => readAll(content))).rejects.toThrow(
      'Unexpected end of data',
    );
  });

  test('when whoever takes it fails', async () => {
    const failing = takeApart(archive([{ name: 'a/layer.tar', content: LARGE }]), async () => {
      throw new Error('the disk is full');
    });
    await expect(failing).rejects.toThrow('the disk is full');
  });
});

test('files of a folder are read with their names, up to a limit', async () => {
  const entries: Entry[] = [
    { name: 'migrations/', type: 'directory' },
    { name: 'migrations/0001.sql', content: 'select 1' },
  ];
  expect([...(await filesOfArchive(archive(entries), 100))]).toEqual([
    ['migrations/0001.sql', Buffer.from('select 1')],
  ]);
  await expect(filesOfArchive(archive(entries), 7)).rejects.toThrow('larger than 7 bytes');
  const link: Entry = { name: 'migrations/0002.sql', linkname: '/etc/shadow' };
  await expect(filesOfArchive(archive([...entries, link]), 100)).rejects.toThrow('is a symlink');
});

async function readAll(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  for await (const _ of content);
}
