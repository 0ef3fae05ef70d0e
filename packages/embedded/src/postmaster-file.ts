import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from './failure.ts';
import { isPostmasterOf } from './processes.ts';

/** What PostgreSQL itself says about the server of a cluster, in `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number;
  readonly socketDirectory: string;
  readonly status: string;
}

/** The living server of this cluster, if there is one; a file left by a dead server does not count. */
export function livingPostmaster(cluster: string): Postmaster | undefined {
  const postmaster = readPostmasterFile(cluster);
  return postmaster && isPostmasterOf(postmaster.pid, cluster) ? postmaster : undefined;
}

export function readPostmasterFile(cluster: string): Postmaster | undefined {
  const lines = linesOf(cluster);
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, socketDirectory: lines[4]?.trim() ?? '', status: lines[7]?.trim() ?? '' };
}

/**
 * After a crash the process id in the file may belong to another program by now, or to a dead process that nobody has
 * buried, and PostgreSQL would refuse to start. It takes its own parent's id as stale, so that is what gets written. The file is not deleted: by its other
 * lines PostgreSQL finds out whether a backend of the dead server still has the shared memory.
 */
export function disownForeignProcess(cluster: string): void {
  const lines = linesOf(cluster);
  // Written with a minus sign by the single-user mode.
  const pid = Math.abs(Number(lines[0]));
  if (!Number.isInteger(pid) || pid === 0 || isPostmasterOf(pid, cluster)) return;
  writeFileSync(join(cluster, 'postmaster.pid'), [String(process.pid), ...lines.slice(1)].join('\n'));
}

function linesOf(cluster: string): string[] {
  try {
    return readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
