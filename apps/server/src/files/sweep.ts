import type { JobContext } from '../platform/jobs.ts';
import type { Services } from '../platform/services.ts';
import * as queries from './queries.ts';

const BATCH = 100;
const PAUSE_MINUTES = 10;

/** Removes the objects that are due and that no file owns. One that cannot be removed now is tried again later. */
export async function sweepObjects({ db, storage }: Services, { log, signal }: JobContext): Promise<void> {
  let [removed, failed] = [0, 0];
  for (;;) {
    const keys = await queries.dueObjects(db, BATCH);
    for (const key of keys) {
      if (signal.aborted) return;
      try {
        await storage.delete(key);
        await queries.forgetObject(db, key);
        removed += 1;
      } catch (error) {
        failed += 1;
        log.warn({ err: error, key }, 'an object could not be removed');
        await queries.postponeObject(db, key, PAUSE_MINUTES);
      }
    }
    if (keys.length < BATCH) break;
  }
  if (removed + failed > 0) {
    log.info({ removed, failed }, 'objects swept');
  }
}
