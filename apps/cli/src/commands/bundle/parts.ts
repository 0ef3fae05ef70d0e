import { totalSize } from '../../bundle/contents.ts';
import { printDockerManifest, type SavedImage, takeApart } from '../../bundle/docker-archive.ts';
import type { Manifest } from '../../bundle/manifest.ts';
import { CHANGELOG, DOCKER_MANIFEST, FOLDERS, LICENCE } from '../../bundle/paths.ts';
import { PRODUCT_FILES } from '../../bundle/product.ts';
import type { WantedImage } from '../../bundle/wanted-images.ts';
import type { BundleWriter } from '../../bundle/write.ts';
import type { Docker } from '../../host/docker.ts';
import type { Image } from '../../host/docker-answers.ts';
import { readFromImage, saveImages } from '../../host/docker-images.ts';
import { CliError } from '../../ui/cli-error.ts';
import { EXIT } from '../../ui/exit-codes.ts';
import { progressOf } from '../../ui/progress.ts';
import type { Terminal } from '../../ui/terminal.ts';
import { imageOf, type Images } from './local-images.ts';

/** Where the parts of a bundle come from. */
export interface Origin {
  readonly docker: Docker;
  /** The product's image first. */
  readonly wanted: readonly WantedImage[];
  readonly images: Images;
  readonly product: Manifest['product'];
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** All of it from the image, so that no bundle mixes versions. */
export async function addProductFiles(
  writer: BundleWriter,
  { docker, product, images, wanted, signal }: Origin,
): Promise<void> {
  const image = imageOf(images, wanted[0]?.reference ?? '');
  const found = await readFromImage(docker, image.Id, Object.values(PRODUCT_FILES), signal);
  const places = [
    [PRODUCT_FILES.licence, LICENCE],
    [PRODUCT_FILES.changelog, CHANGELOG],
    [PRODUCT_FILES.migrations, FOLDERS.migrations],
    [PRODUCT_FILES.docs, FOLDERS.docs],
  ] as const;
  for (const [from, to] of places) {
    const files = [...(found.get(from) ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1));
    if (files.length === 0) {
      throw new CliError(
        `${product.image} holds nothing at ${from}.`,
        'Bundle another version.',
        EXIT.refused,
      );
    }
    for (const [name, content] of files) {
      // Docker puts the last part of the path before the names in it.
      const path = to.endsWith('/') ? to + name.slice(name.indexOf('/') + 1) : to;
      await writer.add(path, content.length, [content]);
    }
  }
}

/** Layer by layer, as Docker writes them. */
export async function addImages(
  writer: BundleWriter,
  { docker, wanted, images, terminal, signal }: Origin,
): Promise<Manifest['images']> {
  // Layers that images share are counted twice here; it is the progress that is told by it, nothing else.
  const total = totalSize([...images.values()].map(({ Size }) => ({ size: Size })));
  const progress = progressOf(terminal, 'images', total);
  const references = wanted.map(({ reference }) => reference);
  const saved = await saveImages(docker, references, signal, async (archive) =>
    takeApart(archive, async (path, size, content) =>
      writer.add(FOLDERS.images + path, size, watched(content, progress)),
    ),
  );
  const inBundle = wanted.map(({ reference, name }) => {
    const image = savedAs(saved, imageOf(images, reference), reference);
    return { name, id: image.id, config: image.config, layers: [...image.layers] };
  });
  const list = Buffer.from(printDockerManifest(inBundle));
  await writer.add(DOCKER_MANIFEST, list.length, [list]);
  return inBundle.map(({ name, id, config, layers }) => ({
    name,
    id,
    config: FOLDERS.images + config,
    layers: layers.map((layer) => ({ path: FOLDERS.images + layer.path, id: layer.id })),
  }));
}

/** Engines that keep images in containerd call them by something else than their configuration; the tag is left then. */
function savedAs(saved: readonly SavedImage[], image: Image, reference: string): SavedImage {
  const match =
    saved.find(({ id }) => id === image.Id) ??
    saved.find(({ tags }) => tags.some((tag) => image.RepoTags.includes(tag)));
  if (match) return match;
  throw new CliError(
    `docker save did not write ${reference}.`,
    'Give it a tag, then try again.',
    EXIT.refused,
  );
}

async function* watched(
  content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  progress: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    progress(chunk.length);
    yield chunk;
  }
}
