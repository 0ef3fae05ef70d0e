import { z } from 'zod';
import { backupManifest } from '../repository/manifest.ts';
import type { Repository } from '../repository/repository.ts';

/** What a verification of one backup found, in the collection `verifications` of its repository. */
export const verificationRecord = z.object({
  backup: backupManifest.shape.id,
  at: z.iso.datetime(),
  /** Whether every chunk and segment of it was read and was right. */
  ok: z.union([z.boolean(), z.literal('could-not-verify')]),
});
export type VerificationRecord = z.output<typeof verificationRecord>;

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
