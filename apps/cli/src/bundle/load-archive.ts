import { contentOf, filesOf, type OnBytes } from './contents.ts';
import { printDockerManifest } from './docker-archive.ts';
import type { BundleImage } from './manifest.ts';
import type { FoundFile, OpenBundle } from './open.ts';
import { FOLDERS } from './paths.ts';
import { TAR_END, tarEntry } from './tar-entry.ts';

/**
 * Some images of a bundle as `docker load` takes them. Each file is checked again on its way, and the list that makes
 * Docker take anything at all comes last: of a bundle that somebody alters meanwhile nothing is loaded.
 */
export async function* loadArchive(
  bundle: OpenBundle,
  images: readonly BundleImage[],
  onBytes?: OnBytes,
): AsyncGenerator<Uint8Array> {
  const seconds = Date.parse(bundle.manifest.created) / 1000;
  for (const file of neededFiles(bundle, images)) {
    const { path, size } = file;
    yield* tarEntry({ name: nameForDocker(path), size, seconds }, contentOf(bundle, file, onBytes));
  }
  const list = Buffer.from(
    printDockerManifest(
      images.map(({ name, config, layers }) => ({
        name,
        config: nameForDocker(config),
        layers: layers.map(({ path }) => ({ path: nameForDocker(path) })),
      })),
    ),
  );
  yield* tarEntry({ name: 'manifest.json', size: list.length, seconds }, [list]);
  yield TAR_END;
}

/** What has to be read for some images; what they share, once. */
export function neededFiles(bundle: OpenBundle, images: readonly BundleImage[]): readonly FoundFile[] {
  const paths = new Set(images.flatMap(filesOf));
  return [...bundle.files.values()].filter(({ path }) => paths.has(path));
}

function nameForDocker(path: string): string {
  return path.slice(FOLDERS.images.length);
}
