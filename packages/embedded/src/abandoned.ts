import { existsSync, realpathSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { layoutOf } from './layout.ts';
import { isAbandoned } from './lock.ts';
import { livingPostmaster } from './postmaster-file.ts';
import { isPostmasterOf } from './processes.ts';

/**
 * Ends, without any care for its data, the server of a throw-away folder whose owner was killed. False when the owner
 * lives, or has not got so far as to take its lock.
 */
export async function endAbandonedServer(dataDirectory: string): Promise<boolean> {
  const layout = layoutOf(realpathSync(dataDirectory));
  if (!existsSync(layout.run) || !isAbandoned(layout.run)) return false;
  const postmaster = livingPostmaster(layout.cluster);
  if (postmaster === undefined) return true;
  process.kill(postmaster.pid, 'SIGQUIT');
  while (isPostmasterOf(postmaster.pid, layout.cluster)) await wait(20);
  return true;
}
