import { setTimeout as pause } from 'node:timers/promises';

const TICK_MS = 5;

/**
 * Calls `act` at a steady rate, whatever becomes of the calls: users do not wait for each other. Tells how late it was
 * itself, which is the limit of what it can measure.
 */
export async function steadily(
  perSecond: number,
  signal: AbortSignal,
  act: () => void,
  onLag: (ms: number) => void,
): Promise<void> {
  const begin = performance.now();
  for (let done = 0; !signal.aborted; ) {
    const elapsed = performance.now() - begin;
    const due = Math.floor((elapsed * perSecond) / 1000);
    if (due > done) onLag(elapsed - ((done + 1) * 1000) / perSecond);
    for (; done < due; done += 1) act();
    await pause(TICK_MS, undefined, { signal }).catch(() => undefined);
  }
}
