import type { KeyObject } from 'node:crypto';
import type { ByteSource } from '../../bundle/byte-source.ts';
import { alteredFiles, totalSize } from '../../bundle/contents.ts';
import { openBundle, type OpenBundle } from '../../bundle/open.ts';
import { type BundleProblem, describeBundleProblem, UnfitBundle } from '../../bundle/problem.ts';
import { inMegabytes, progressOf } from '../../ui/progress.ts';
import type { Terminal } from '../../ui/terminal.ts';

/** Reads a whole bundle. Everything that is wrong with it is told, and then it is undefined. */
export async function checked(
  source: ByteSource,
  key: KeyObject,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<OpenBundle | undefined> {
  let bundle: OpenBundle;
  try {
    bundle = await openBundle(source, key);
  } catch (error) {
    if (!(error instanceof UnfitBundle)) throw error;
    tell(error.problems, terminal);
    return undefined;
  }
  const total = totalSize(bundle.files.values());
  terminal.say(`The signature is right; reading ${inMegabytes(total)} …`);
  const progress = progressOf(terminal, 'verified', total);
  const problems = await alteredFiles(bundle, (bytes) => {
    signal.throwIfAborted();
    progress(bytes);
  });
  tell(problems, terminal);
  return problems.length === 0 ? bundle : undefined;
}

function tell(problems: readonly BundleProblem[], terminal: Terminal): void {
  for (const problem of problems) {
    terminal.print(`! ${describeBundleProblem(problem)}`);
    terminal.emit('problem', { ...problem });
  }
}

/** What an operator wants to know of a bundle that is fine. */
export function describe({ manifest, files }: OpenBundle, terminal: Terminal): void {
  const { product, created, platform, key, images } = manifest;
  const size = totalSize(files.values());
  terminal.print(
    [
      `Calculaud ${product.version} (commit ${product.commit ?? 'unknown'}) for ${platform}, bundled ${created}`,
      ...images.map(({ name, id }) => `= ${name}  ${id}`),
      `${files.size} files, ${inMegabytes(size)}, signed with ${key}`,
    ].join('\n'),
  );
  terminal.emit('bundle', {
    product,
    created,
    platform,
    key,
    images: images.map(({ name, id }) => ({ name, id })),
    files: files.size,
    size,
  });
}
