import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { EmbeddedPostgresError } from './failure.ts';
import { syncDirectory, writeDurably } from './files.ts';
import { type Layout, prepareDataDirectory } from './layout.ts';
import { lockDataDirectory } from './lock.ts';

/**
 * Puts another cluster in the place of the one of a data folder. What has to be done is noted before the first of two renames:
 * whoever is killed between them is finished by the next start, which would else make a new, empty database.
 */

const NOTE = 'postgres.replacing.json';
const note = z.strictObject({ fresh: z.string(), before: z.string().nullable() });

/**
 * The cluster in `fresh` (within the data folder, so that a rename suffices) takes the place of the one that is there, which
 * is kept under the returned name; undefined when there was none. Nothing may run on either.
 */
export async function replaceCluster(dataDirectory: string, fresh: string): Promise<string | undefined> {
  const layout = prepareDataDirectory(dataDirectory);
  const lock = await lockDataDirectory(layout.run);
  try {
    finishReplacement(layout);
    const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
    const before = existsSync(layout.cluster) ? `${basename(layout.cluster)}.before-${stamp}` : null;
    if (!existsSync(join(fresh, 'PG_VERSION'))) throw new EmbeddedPostgresError(`${fresh} is no database.`);
    writeDurably(join(layout.dataDirectory, NOTE), JSON.stringify({ fresh, before }), 0o600);
    finishReplacement(layout);
    return before === null ? undefined : join(layout.dataDirectory, before);
  } finally {
    lock.release();
  }
}

/** Does what is left of a replacement; nothing when there is none. The caller holds the lock of the data folder. */
export function finishReplacement({ dataDirectory, cluster }: Layout): void {
  const path = join(dataDirectory, NOTE);
  if (!existsSync(path)) return;
  const { fresh, before } = note.parse(JSON.parse(readFileSync(path, 'utf8')));
  if (existsSync(fresh)) {
    if (before !== null && existsSync(cluster)) renameSync(cluster, join(dataDirectory, before));
    renameSync(fresh, cluster);
    syncDirectory(dataDirectory);
  }
  rmSync(path);
  syncDirectory(dataDirectory);
}
