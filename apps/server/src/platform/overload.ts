import pg from 'pg';

/** Statement timeout, lock timeout, too many connections, server starting or stopping, connection lost. */
const codes = new Set(['57014', '55P03', '53300', '57P01', '57P02', '57P03', '08000', '08003', '08006']);
const socketCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EPIPE', 'ETIMEDOUT']);

/**
 * Whether the database is away or has more to do than it can: nothing is wrong with the request, and it may be repeated
 * later. Everything else that fails unexpectedly is a fault of ours.
 */
export function isOverloaded(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) {
    return codes.has(error.code ?? '');
  }
  if (!(error instanceof Error)) {
    return false;
  }
  const isSocketFailure =
    'syscall' in error &&
    error.syscall === 'connect' &&
    'code' in error &&
    socketCodes.has(String(error.code));
  return (
    isSocketFailure ||
    // The two failures of pg that have no code.
    error.message.startsWith('timeout exceeded when trying to connect') ||
    error.message.startsWith('Connection terminated')
  );
}

/** The disk of the database, or of the files beside the server, is full: nothing was stored, and waiting does not help. */
export function isOutOfRoom(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error instanceof pg.DatabaseError
    ? error.code === DISK_FULL
    : error.code === 'ENOSPC' || error.code === 'EDQUOT';
}

const DISK_FULL = '53100';
