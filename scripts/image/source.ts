import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { ImageDefinition } from './images.ts';
import { output, repository } from './programs.ts';

/** What an image is made from. */
export interface Source {
  readonly version: string;
  /** The commit; with `-dirty` when files of the image differ from it. */
  readonly revision: string;
  /** Of the commit, in seconds: the time of all files in the image. */
  readonly time: number;
}

export function sourceOf({ root, paths }: ImageDefinition): Source {
  const git = (...args: string[]): string => output('git', args, { cwd: join(repository, root) }).trim();
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')));
  const changed = git('status', '--porcelain', '--', ...paths) !== '';
  return {
    version,
    revision: git('rev-parse', 'HEAD') + (changed ? '-dirty' : ''),
    time: Number(git('log', '-1', '--format=%ct')),
  };
}
