import { createHash } from 'node:crypto';
import { listExports } from '../logical/stored-export.ts';
import { parseLsn, placeOf } from '../postgres/lsn.ts';
import { systemIdOf } from '../postgres/wal-records.ts';
import type { BackupManifest, ChunkRef } from '../repository/manifest.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository } from '../repository/repository.ts';
import { contiguous, findLog, liesOn, segmentOn } from './branch.ts';

export interface Fault {
  /** What is damaged: an object of the repository, or what is missing in it. */
  readonly object: string;
  /** What cannot be restored of it: a file of the cluster, a segment, the key of an attached file. */
  readonly of: string;
  readonly words: string;
}

export interface Verification {
  readonly backup: string;
  readonly files: number;
  readonly bytes: number;
  readonly segments: number;
  readonly attached: number;
  /** The newest one, when there is one. */
  readonly exports: number;
  readonly faults: readonly Fault[];
}

export interface VerifyOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (bytes: number) => void;
}

/**
 * Reads everything that a restore of this backup would read, and compares it with what was written: all chunks, the log from
 * its start to its end, every attached object, and the newest export. What cannot be read at this moment rejects; what is wrong is a fault.
 */
export async function verifyBackup(
  repository: Repository,
  manifest: BackupManifest,
  { signal, onProgress }: VerifyOptions,
): Promise<Verification> {
  const faults: Fault[] = [];
  let bytes = 0;
  const look = async (
    object: string,
    content: { readonly chunks: readonly ChunkRef[]; readonly sha256: string },
  ) => {
    signal.throwIfAborted();
    const hash = createHash('sha256');
    await noted(faults, object, async () => {
      for await (const chunk of repository.getContent(content.chunks)) {
        hash.update(chunk);
        bytes += chunk.length;
        onProgress?.(chunk.length);
      }
      if (hash.digest('hex') !== content.sha256)
        faults.push({ object, of: object, words: 'is not what it was' });
    });
  };
  for (const file of manifest.files) await look(file.path, file);
  await look('backup_manifest', manifest.postgresManifest);

  const segments = await verifyLog(repository, manifest, faults, signal);
  let attached = 0;
  await noted(faults, 'attached', async () => {
    for await (const object of repository.listAttached()) {
      attached += 1;
      await look(object.key, object);
    }
  });
  let exports = 0;
  await noted(faults, 'exports', async () => {
    for (const { id, chunks, sha256 } of await listExports(repository, { newest: 1 })) {
      exports += 1;
      await look(`records/exports/${id}`, { chunks, sha256 });
    }
  });
  return { backup: manifest.id, files: manifest.files.length, bytes, segments, attached, exports, faults };
}

async function verifyLog(
  repository: Repository,
  base: BackupManifest,
  faults: Fault[],
  signal: AbortSignal,
): Promise<number> {
  const { branches, available } = await findLog(repository, base.systemId, undefined);
  const own = { systemId: base.systemId, timeline: base.timeline, steps: [], since: undefined };
  const branch = branches.find((each) => liesOn(base, each)) ?? own;
  const { segments, missing } = contiguous(base, branch, available);
  const stop = segmentOn(branch, parseLsn(base.stopLsn) - 1n);
  const lost = missing ?? (segments.includes(stop) ? undefined : stop);
  if (lost !== undefined)
    faults.push({ object: lost, of: lost, words: 'is missing: the log has a hole there' });
  for (const segment of segments) {
    signal.throwIfAborted();
    await noted(faults, segment, async () => {
      const found = await repository.getSegment({ systemId: base.systemId, segment });
      if (!found) faults.push({ object: segment, of: segment, words: 'is missing' });
      else if (systemIdOf(found.content) !== base.systemId) {
        faults.push({ object: segment, of: segment, words: 'was written by another cluster' });
      } else if (found.partial && segment !== segments.at(-1)) {
        faults.push({ object: segment, of: segment, words: 'is there only in part, and later ones follow' });
      }
    });
  }
  for (const { timeline, fromLsn, toLsn, reason } of await repository.listGaps(base.systemId)) {
    if (parseLsn(toLsn) <= parseLsn(base.startLsn)) continue;
    // What a life lacks that a restore has left is not on the way.
    if (placeOf(segmentOn(branch, parseLsn(fromLsn)))?.timeline !== timeline) continue;
    const object = `${fromLsn} to ${toLsn}`;
    faults.push({ object, of: object, words: `was never received (${reason})` });
  }
  return segments.length;
}

/** What is lost or altered is noted under its name, and the rest is looked at all the same. */
async function noted(faults: Fault[], object: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof BackupProblem) || error.kind === 'unavailable') throw error;
    faults.push({ object: error.object ?? object, of: object, words: error.message });
  }
}
