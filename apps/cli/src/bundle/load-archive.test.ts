import { appendFileSync, closeSync, openSync, writeSync } from 'node:fs';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { filesOfArchive } from './docker-archive.ts';
import { loadArchive } from './load-archive.ts';
import { openBundle } from './open.ts';
import { LAYERS, onDisk, smallBundle, testKey } from './testing/bundle.ts';

const key = testKey();
const bytes = await smallBundle(key);

test('what Docker gets is an archive of the images alone, with its own list last', async () => {
  await onDisk(bytes, async (source) => {
    const bundle = await openBundle(source, key.publicKey);
    const files = await filesOfArchive(Readable.from(loadArchive(bundle, bundle.manifest.images)), 1e6);
    expect([...files.keys()]).toEqual(['base/layer.tar', 'top/layer.tar', 'config.json', 'manifest.json']);
    expect(files.get('top/layer.tar')).toEqual(LAYERS.top);
    expect(JSON.parse(files.get('manifest.json')?.toString() ?? '')).toEqual([
      { Config: 'config.json', RepoTags: ['calculaud:1.0.0'], Layers: ['base/layer.tar', 'top/layer.tar'] },
    ]);
  });
});

test('a bundle that is altered after it was verified never gets its list to Docker', async () => {
  await onDisk(bytes, async (source, path) => {
    const bundle = await openBundle(source, key.publicKey);
    const layer = bundle.files.get('images/top/layer.tar');
    const file = openSync(path, 'r+');
    writeSync(file, 'X', layer?.at ?? 0);
    closeSync(file);
    appendFileSync(path, 'X');
    let passed = Buffer.alloc(0);
    const passing = (async () => {
      for await (const chunk of loadArchive(bundle, bundle.manifest.images))
        passed = Buffer.concat([passed, chunk]);
    })();
    await expect(passing).rejects.toThrow('images/top/layer.tar (part of calculaud:1.0.0) was altered');
    expect(passed.includes('base/layer.tar')).toBe(true);
    expect(passed.includes('manifest.json')).toBe(false);
  });
});
