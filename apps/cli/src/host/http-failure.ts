import type { NoAnswer } from './http-message.ts';

/** Nothing came in time. */
export class TimeOut extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
  }
}

/** The connection ended in the middle of an answer. */
export class BrokenOff extends Error {}

export function problemOf(error: unknown): Pick<NoAnswer, 'problem' | 'words'> {
  const { message: words } = asError(error);
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (error instanceof TimeOut) return { problem: 'time-out', words };
  if (error instanceof BrokenOff) return { problem: 'broken off', words };
  if (code === 'ECONNREFUSED') return { problem: 'refused', words };
  if (code === 'ECONNRESET' || code === 'EPIPE') return { problem: 'reset', words };
  return { problem: 'unreachable', words };
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
