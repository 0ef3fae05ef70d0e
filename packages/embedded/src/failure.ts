/**
 * Something that stops the embedded server, told in sentences for the person at the terminal: what happened, why, and
 * what to do. Nobody needs its stack.
 */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
  /** `locked`: nothing is wrong but that another process holds the data folder. */
  readonly kind: 'refused' | 'locked';

  constructor(message: string, kind: 'refused' | 'locked' = 'refused') {
    super(message);
    this.kind = kind;
  }
}

/** The code of a system error (`EACCES`, `ENOENT`, a SQLSTATE …), or '' when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a program that failed wrote to its error output. */
export function failureOutput(error: unknown): string {
  const output = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return output || messageOf(error);
}

/** What to do when the words of a failure speak of the disk. */
export function diskAdvice(said: string): string | undefined {
  if (/No space left on device|ENOSPC|Disk quota exceeded|File too large/.test(said)) {
    return 'The disk is full: free some space and start again. Nothing was lost.';
  }
  if (/Read-only file system|EROFS/.test(said)) {
    return 'The file system is read-only: make it writable, or name another folder in CALCULAUD_DATA.';
  }
  if (/Input\/output error/.test(said)) {
    return 'The disk reports errors: see the log of the system, and restore the database elsewhere.';
  }
  return undefined;
}

/** Faults of the disk or of permissions in words; everything else as it is. */
export function explained(error: unknown, dataDirectory: string): unknown {
  if (error instanceof EmbeddedPostgresError) return error;
  const message = messageOf(error);
  const start = `The embedded database in ${dataDirectory} could not be started: ${message}.`;
  if (['EACCES', 'EPERM'].includes(codeOf(error))) {
    return new EmbeddedPostgresError(
      `${start} Was Calculaud started as another user before? Start it as that user, or as root.`,
    );
  }
  const advice = diskAdvice(`${codeOf(error)} ${message}`);
  return advice === undefined ? error : new EmbeddedPostgresError(`${start} ${advice}`);
}
