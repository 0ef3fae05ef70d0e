import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageDefinition } from './images.ts';
import { output, repository } from './programs.ts';

/**
 * Gives a build a folder with what it may see: the files that git knows or would take, and a cache of npm if there is one.
 * Whatever else lies about in the checkout (packages, data, bundles of another Node) cannot get into the image.
 */
export function withContext<T>(
  { root, paths }: ImageDefinition,
  npmCache: string | undefined,
  build: (folder: string) => T,
): T {
  const from = join(repository, root);
  const folder = mkdtempSync(join(tmpdir(), 'calculaud-image-'));
  try {
    const listed = ['ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', ...paths];
    for (const file of output('git', listed, { cwd: from }).split('\0')) {
      // git goes on listing a file that was deleted and not yet committed.
      if (file !== '' && existsSync(join(from, file))) cpSync(join(from, file), join(folder, file));
    }
    if (npmCache !== undefined) cpSync(npmCache, join(folder, '.npm-cache'), { recursive: true });
    return build(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
