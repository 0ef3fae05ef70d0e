import { createHash, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { withBundleFile } from '../../host/bundle-file.ts';
import type { ByteSource } from '../byte-source.ts';
import { alteredFiles } from '../contents.ts';
import { printDockerManifest } from '../docker-archive.ts';
import type { Manifest } from '../manifest.ts';
import { openBundle } from '../open.ts';
import { type BundleProblem, describeBundleProblem, UnfitBundle } from '../problem.ts';
import { newKeyPair, readPrivateKey, readPublicKey } from '../signature.ts';
import { BundleWriter } from '../write.ts';

export const CREATED = new Date('2026-03-01T12:00:00Z');

export interface TestKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export function testKey(): TestKey {
  const { privateKey, publicKey } = newKeyPair();
  return { privateKey: readPrivateKey(privateKey, 'test'), publicKey: readPublicKey(publicKey, 'test') };
}

/** Beside the images: everything that a bundle must have, and as little of it as can be. */
export const SMALL_FILES: Readonly<Record<string, string>> = {
  LICENSE: 'Apache-2.0\n',
  'CHANGELOG.md': '# 1.0.0\n',
  'migrations/0001_tables.sql': 'create table purpose ();\n',
  'docs/README.md': '# Operating\n',
  'sbom/sbom.cdx.json': '{}\n',
};

export const LAYERS = { base: Buffer.alloc(700, 'base'), top: Buffer.alloc(512, 'top') };

/** The configuration of an image with these layers. */
export function imageConfig(layers: readonly Buffer[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
    }),
  );
}

/** The bytes of a small bundle with one image of two layers. */
export async function smallBundle(
  { privateKey }: TestKey,
  {
    files = SMALL_FILES,
    change = (about) => about,
  }: { files?: Readonly<Record<string, string>>; change?: (about: About) => About } = {},
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const writer = new BundleWriter(async (chunk) => {
    chunks.push(chunk);
  }, CREATED);
  const add = async (path: string, content: Buffer): Promise<string> =>
    writer.add(path, content.length, [content]);
  for (const [path, content] of Object.entries(files)) await add(path, Buffer.from(content));
  const config = imageConfig([LAYERS.base, LAYERS.top]);
  const layers = [];
  for (const [name, layer] of Object.entries(LAYERS)) {
    const path = `images/${name}/layer.tar`;
    layers.push({ path, id: `sha256:${await add(path, layer)}` });
  }
  const id = `sha256:${await add('images/config.json', config)}`;
  const image = { name: 'calculaud:1.0.0', id, config: 'images/config.json', layers };
  await add('images/manifest.json', Buffer.from(printDockerManifest([image])));
  const product = { version: '1.0.0', commit: 'abc', image: image.name };
  await writer.finish(change({ product, platform: 'linux/amd64', images: [image] }), privateKey);
  return Buffer.concat(chunks);
}

type About = Pick<Manifest, 'product' | 'platform' | 'images'>;

/** Bytes as a bundle on the disk, for as long as the work lasts. */
export async function onDisk<T>(
  bytes: Buffer,
  work: (source: ByteSource, path: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-bundle-'));
  const path = join(folder, 'bundle.tar');
  try {
    writeFileSync(path, bytes);
    return await withBundleFile(path, async (source) => work(source, path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Bytes that are read where they are, for tests that read many thousand bundles. */
export function inMemory(bytes: Buffer): ByteSource {
  const read = (position: number, length: number): Buffer => bytes.subarray(position, position + length);
  return {
    size: bytes.length,
    read: async (position, length) => read(position, length),
    stream: async function* (position, length) {
      yield read(position, length);
    },
  };
}

/** Everything that is wrong with a bundle, as it is told. */
export async function problemsOf(source: ByteSource, key: KeyObject): Promise<readonly string[]> {
  let problems: readonly BundleProblem[];
  try {
    problems = await alteredFiles(await openBundle(source, key));
  } catch (error) {
    if (!(error instanceof UnfitBundle)) throw error;
    ({ problems } = error);
  }
  return problems.map(describeBundleProblem);
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
