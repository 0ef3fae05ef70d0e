import { z } from 'zod';
import { journalSchema } from './journal.ts';
import { ledgerEntrySchema, NO_HASH } from './ledger.ts';
import { releaseStateSchema } from './release-store.ts';

/** Who works on a stack at the moment. */
const holderSchema = z.strictObject({
  /** Of this one run of a command, so that two of the same person are told apart. */
  id: z.string(),
  /** Such as `dana@laptop`. */
  who: z.string(),
  command: z.string(),
  /** By the holder's clock, for people; nothing is decided by them. */
  since: z.string(),
  renewed: z.string(),
});
export type Holder = z.infer<typeof holderSchema>;

/**
 * Everything about the deployments of a stack that changes. One object, so that one compare-and-swap decides over all of
 * it: whoever writes progress proves with the same write that the stack is still his to change. Strict: what a newer
 * version keeps here must not get lost by an older one that writes it back.
 */
export const deploymentRecordSchema = z.strictObject({
  format: z.literal(1),
  /** Of the last write, so that a writer who got no answer finds out whether it was his. */
  write: z.string(),
  /** The token grows with each holder: what an older one writes is refused. */
  lease: z.strictObject({ token: z.number().int(), holder: holderSchema.nullable() }),
  /** The work that was begun and is not finished. */
  journal: journalSchema.nullable(),
  /** What runs, as the last finished step left it. */
  release: releaseStateSchema.nullable(),
  ledger: z.strictObject({
    length: z.number().int(),
    head: z.string(),
    /** Counted above, but perhaps not stored yet: whoever comes next stores it. */
    pending: ledgerEntrySchema.nullable(),
  }),
});

/** As it is read and changed; the mark of a write is the register's business. */
export type DeploymentRecord = Readonly<Omit<z.infer<typeof deploymentRecordSchema>, 'format' | 'write'>>;

/** Of a stack that nobody has deployed yet. */
export const emptyRecord: DeploymentRecord = {
  lease: { token: 0, holder: null },
  journal: null,
  release: null,
  ledger: { length: 0, head: NO_HASH, pending: null },
};
