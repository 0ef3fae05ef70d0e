/**
 * Something that stops the embedded server, told in sentences for the person at the terminal: what happened, why, and
 * what to do. Nobody needs its stack.
 */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';
}

/** The code of a system error (`EACCES`, `ENOENT`, a SQLSTATE …), or '' when it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
