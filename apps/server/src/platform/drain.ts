import { setTimeout as pause } from 'node:timers/promises';
import type { Connections } from './connections.ts';

export interface DrainTimes {
  /** So long connections are still accepted: whoever sends traffic has to notice first that readiness is red. */
  readonly noticeMs: number;
  /** From the beginning, the notice included, to the end of everything that may last long. */
  readonly limitMs: number;
  /** From the end of the notice: what is no upload and no export is answered by then, or not at all. */
  readonly ordinaryMs?: number;
}

const ORDINARY_MS = 10_000;
/** What hangs so long after it was cut off is left behind. */
const HANGING_MS = 750;
const LOOK_AGAIN_MS = 50;

/**
 * Lets open requests finish; connections end as they become idle. Readiness is red already, and every answer says that
 * its connection ends, so that clients open their next one elsewhere. Whatever still hangs at the deadline is cut off:
 * the end always comes.
 */
export async function drain(
  connections: Connections,
  { noticeMs, limitMs, ordinaryMs = ORDINARY_MS }: DrainTimes,
  close: () => Promise<void>,
): Promise<void> {
  const notice = Math.min(noticeMs, limitMs);
  await pause(notice);
  const left = limitMs - notice;
  // After what has just arrived was read: a request that is here already is no idle connection.
  const idle = setInterval(() => setImmediate(() => connections.endIdle()), LOOK_AGAIN_MS);
  const ordinary = setTimeout(() => connections.endOrdinary(), Math.min(ordinaryMs, left));
  const all = setTimeout(() => connections.endAll(), left);
  try {
    await Promise.race([close(), pause(left + HANGING_MS, undefined, { ref: false })]);
  } finally {
    clearInterval(idle);
    clearTimeout(ordinary);
    clearTimeout(all);
  }
}
