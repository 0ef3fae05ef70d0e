import { z } from 'zod';
import { backupManifest } from '../repository/manifest.ts';
import { newRecordName } from '../repository/record-name.ts';
import type { Repository } from '../repository/repository.ts';
import type { Verification } from './verify.ts';

/** Enough to know what kind of trouble it is; all of the damaged chunks are named beside them. */
const MOST_FAULTS = 100;

/** What a verification of one backup found, in the collection `verifications` of its repository. */
export const verificationRecord = z.object({
  backup: backupManifest.shape.id,
  at: z.iso.datetime(),
  /** Whether every chunk and segment of it was read and was right. */
  ok: z.union([z.boolean(), z.literal('could-not-verify')]),
  faults: z.array(z.object({ object: z.string(), of: z.string(), words: z.string() })).default([]),
  /** Keys of chunks that are there and are not what their names say. */
  damaged: z.array(z.string()).default([]),
});
export type VerificationRecord = z.output<typeof verificationRecord>;

/** Keeps what a verification found: only a backup that was verified counts for what is removed. */
export async function recordVerification(
  repository: Repository,
  { backup, faults }: Verification,
): Promise<VerificationRecord> {
  const at = new Date();
  const record: VerificationRecord = {
    backup,
    at: at.toISOString(),
    ok: faults.length === 0,
    faults: faults.slice(0, MOST_FAULTS),
    damaged: [...new Set(faults.map(({ object }) => object).filter((key) => key.startsWith('chunks/')))],
  };
  await repository.putRecord('verifications', newRecordName(at), record);
  return record;
}

/**
 * The backups of which the last verification that came to an end found nothing wrong. By the order of the records, not by
 * their times, which a clock that was moved makes wrong.
 */
export async function verifiedBackups(repository: Repository): Promise<ReadonlySet<string>> {
  const verified = new Set<string>();
  for (const { record } of await repository.listRecords('verifications')) {
    const parsed = verificationRecord.safeParse(record);
    if (!parsed.success || parsed.data.ok === 'could-not-verify') continue;
    if (parsed.data.ok) verified.add(parsed.data.backup);
    else verified.delete(parsed.data.backup);
  }
  return verified;
}

/** What the newest verification found, unless nobody has verified anything that can be understood. */
export async function newestVerification(repository: Repository): Promise<VerificationRecord | undefined> {
  const [newest] = await repository.listRecords('verifications', { newest: 1 });
  return newest && verificationRecord.safeParse(newest.record).data;
}
