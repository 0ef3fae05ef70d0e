import { z } from 'zod';
import { newRecordName } from '../repository/record-name.ts';
import { backupManifest } from '../repository/manifest.ts';
import type { Repository } from '../repository/repository.ts';

/** A legal hold on one backup, or its end, in the collection `holds` of its repository. */
const holdRecord = z.strictObject({
  backup: backupManifest.shape.id,
  held: z.boolean(),
  at: z.iso.datetime(),
  who: z.string(),
  why: z.string(),
});
type Hold = Omit<z.output<typeof holdRecord>, 'at'>;

/** Who held what, and why, stays on record after its end. */
export async function recordHold(repository: Repository, hold: Hold): Promise<void> {
  const at = new Date();
  await repository.putRecord('holds', newRecordName(at), holdRecord.parse({ ...hold, at: at.toISOString() }));
}

/**
 * The backups under legal hold, and why. A record that cannot be understood rejects: nobody knows what it holds.
 */
export async function heldBackups(repository: Repository): Promise<ReadonlyMap<string, string>> {
  const records = (await repository.listRecords('holds')).map(({ record }) => holdRecord.parse(record));
  const held = new Map<string, string>();
  for (const { backup, held: holds, why } of records.toSorted((one, other) => (one.at < other.at ? -1 : 1))) {
    if (holds) held.set(backup, why);
    else held.delete(backup);
  }
  return held;
}
