/** Why no connection to the server came about. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EAI_AGAIN',
  // Of a Unix socket: it does not exist, or this user may not use it.
  'ENOENT',
  'EACCES',
]);
/** Any other system call that fails, such as that of a missing file, says nothing about the server. */
const CALLS: readonly unknown[] = ['connect', 'getaddrinfo'];
/** SQLSTATE: wrong password, role or database that does not exist, missing privilege, too many connections, starting up. */
const NOT_ADMITTED: ReadonlySet<string> = new Set(['28P01', '28000', '3D000', '42501', '53300', '57P03']);

/** What keeps us from using the database, when it is something that an operator can mend; undefined otherwise. */
export function connectionFailure(error: unknown): string | undefined {
  if (error instanceof AggregateError) {
    return error.errors.map(connectionFailure).find((message) => message !== undefined);
  }
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  const unreachable = 'syscall' in error && CALLS.includes(error.syscall) && UNREACHABLE.has(error.code);
  return unreachable || NOT_ADMITTED.has(error.code) ? error.message : undefined;
}
