import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { LARGEST_CONFIG } from './manifest.ts';

/** An image as `docker save` wrote it, its parts by the names that they have in Docker's archive. */
export interface SavedImage {
  /** The digest of its configuration. */
  readonly id: string;
  readonly tags: readonly string[];
  readonly config: string;
  readonly layers: readonly { readonly path: string; readonly id: string }[];
}

/** Takes a file of the archive; has to read its content to the end. */
type Store = (
  path: string,
  size: number,
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
) => Promise<unknown>;

/** Docker's own list of the images in an archive. */
const dockerManifest = z.array(
  z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()) }),
);
const imageConfig = z.object({ rootfs: z.object({ diff_ids: z.array(z.string()) }) });

/** What lies about in an archive beside the layers: lists, configurations, what old engines read. */
const MOST_OF_THE_SMALL = 64 * 1024 * 1024;

/**
 * Takes what `docker save` writes apart while it comes, whatever the engine's version: layers are passed on at once, and
 * nothing large is kept. What is small waits until Docker's list, which comes last, tells what it is; what no image needs
 * is dropped.
 */
export async function takeApart(archive: Readable, store: Store): Promise<readonly SavedImage[]> {
  const small = new Map<string, Buffer>();
  const links = new Map<string, string>();
  const stored = new Set<string>();
  let waiting = 0;

  const entries = extract();
  const fed = pipeline(archive, entries);
  // Awaited below; when the loop fails first, its failure is the one that is told.
  fed.catch(() => undefined);
  for await (const entry of entries) {
    const { name, type, size = 0, linkname } = entry.header;
    if (type === 'symlink' && linkname) {
      // The same layer in two images, by engines that do not name layers by their content.
      links.set(name, posix.join(posix.dirname(name), linkname));
      entry.resume();
    } else if (type === 'directory') {
      entry.resume();
    } else if (type !== 'file') {
      throw new Error(`docker save wrote ${name}, which is a ${type}`);
    } else if (size > LARGEST_CONFIG) {
      stored.add(name);
      await store(name, size, entry);
    } else {
      waiting += size;
      if (waiting > MOST_OF_THE_SMALL)
        throw new Error('docker save wrote more small files than any image has');
      small.set(name, await bytesOf(entry));
    }
  }
  await fed;

  const list = small.get('manifest.json');
  if (!list) throw new Error('docker save wrote no manifest.json');
  const keep = async (name: string): Promise<string> => {
    const path = links.get(name) ?? name;
    if (stored.has(path)) return path;
    const content = small.get(path);
    if (!content) throw new Error(`docker save wrote no ${path}, which it names`);
    stored.add(path);
    await store(path, content.length, [content]);
    return path;
  };
  const images: SavedImage[] = [];
  for (const { Config, RepoTags, Layers } of dockerManifest.parse(JSON.parse(list.toString('utf8')))) {
    const config = small.get(Config);
    if (!config) throw new Error(`docker save wrote no configuration ${Config}, which it names`);
    const { rootfs } = imageConfig.parse(JSON.parse(config.toString('utf8')));
    if (rootfs.diff_ids.length !== Layers.length) {
      throw new Error(
        `docker save wrote ${Layers.length} layers of an image that has ${rootfs.diff_ids.length}`,
      );
    }
    const layers: { path: string; id: string }[] = [];
    for (const [index, layer] of Layers.entries()) {
      layers.push({ path: await keep(layer), id: rootfs.diff_ids[index] ?? '' });
    }
    images.push({
      id: `sha256:${createHash('sha256').update(config).digest('hex')}`,
      tags: RepoTags ?? [],
      config: await keep(Config),
      layers,
    });
  }
  return images;
}

/** The list of images by which `docker load` finds its way in an archive. */
export function printDockerManifest(
  images: readonly {
    readonly name: string;
    readonly config: string;
    readonly layers: readonly { readonly path: string }[];
  }[],
): string {
  return JSON.stringify(
    images.map(({ name, config, layers }) => ({
      Config: config,
      RepoTags: [name],
      Layers: layers.map(({ path }) => path),
    })),
  );
}

/** The files of an archive such as `docker cp` writes, by their names; for things that are known to be small. */
export async function filesOfArchive(
  archive: Readable,
  largest: number,
): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  let total = 0;
  const entries = extract();
  const fed = pipeline(archive, entries);
  fed.catch(() => undefined);
  for await (const entry of entries) {
    const { name, type, size = 0 } = entry.header;
    if (type === 'file') {
      total += size;
      if (total > largest) throw new Error(`the files are larger than ${largest} bytes`);
      files.set(name, await bytesOf(entry));
    } else if (type === 'directory') {
      entry.resume();
    } else {
      throw new Error(`${name} is a ${type}`);
    }
  }
  await fed;
  return files;
}

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
