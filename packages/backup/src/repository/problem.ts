/** What kind of trouble it is, for exit codes and for alerts. */
export type BackupProblemKind =
  /** The store or the server cannot be reached, or refuses: nothing is known to be lost; it may pass by itself. */
  | 'unavailable'
  /** The disk or the quota is full. */
  | 'full'
  /** Something that a backup needs is not there. */
  | 'missing'
  /** Something is there and is not what was written. */
  | 'corrupt'
  /** The key does not open it. */
  | 'wrong-key'
  /** It belongs to another cluster or repository. */
  | 'foreign'
  /** It was written by a version that this one does not know. */
  | 'unknown-format'
  /** Somebody else holds the lease. */
  | 'busy'
  /** The wish cannot be fulfilled: no such backup, a time outside of what is kept. */
  | 'impossible';

/** Says what happened, why, and what to do. `object` names what is affected. */
export class BackupProblem extends Error {
  readonly kind: BackupProblemKind;
  readonly object: string | undefined;

  constructor(
    kind: BackupProblemKind,
    message: string,
    { object, cause }: { object?: string; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? {} : { cause });
    this.name = 'BackupProblem';
    this.kind = kind;
    this.object = object;
  }
}
