import { createHash } from 'node:crypto';
import type { BundleImage } from './manifest.ts';
import type { FoundFile, OpenBundle } from './open.ts';
import { type BundleProblem, UnfitBundle } from './problem.ts';

/** Called with every piece that was read. */
export type OnBytes = (count: number) => void;

/**
 * The content of a file, which fails at its end when it is not what the manifest says. Whoever takes it must not act on it
 * before it has ended.
 */
export async function* contentOf(
  { source, manifest: { images } }: OpenBundle,
  file: FoundFile,
  onBytes: OnBytes = () => undefined,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of source.stream(file.at, file.size)) {
    hash.update(chunk);
    size += chunk.length;
    onBytes(chunk.length);
    yield chunk;
  }
  const found = hash.digest('hex');
  if (size === file.size && found === file.sha256) return;
  const users = images.filter((image) => filesOf(image).includes(file.path)).map(({ name }) => name);
  const part = users.length === 0 ? '' : ` (part of ${users.join(', ')})`;
  throw new UnfitBundle([
    {
      file: file.path,
      problem:
        `${part}${part && ' '}was altered: its SHA-256 is ${found} instead of ${file.sha256}`.trimStart(),
    },
  ]);
}

/** Reads all that is in the bundle; says which files are not what the manifest says. */
export async function alteredFiles(bundle: OpenBundle, onBytes?: OnBytes): Promise<readonly BundleProblem[]> {
  const problems: BundleProblem[] = [];
  for (const file of bundle.files.values()) {
    try {
      for await (const _ of contentOf(bundle, file, onBytes));
    } catch (error) {
      if (!(error instanceof UnfitBundle)) throw error;
      problems.push(...error.problems);
    }
  }
  return problems;
}

/** The files of the bundle that an image consists of. */
export function filesOf({ config, layers }: BundleImage): readonly string[] {
  return [config, ...layers.map(({ path }) => path)];
}

/** How much there is to read. */
export function totalSize(files: Iterable<{ readonly size: number }>): number {
  let total = 0;
  for (const { size } of files) total += size;
  return total;
}
