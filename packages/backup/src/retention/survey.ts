import { z } from 'zod';
import { parseHistory } from '../postgres/lsn.ts';
import type { BackupManifest } from '../repository/manifest.ts';
import { listExports } from '../logical/stored-export.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { BackupFacts, Lineage, SegmentFacts } from './facts.ts';
import { heldBackups } from './holds.ts';
import type { PrunableRepository, Tombstone } from './prunable.ts';
import { verifiedBackups } from '../engine/verification-record.ts';

export interface StoredSegment extends SegmentFacts {
  readonly key: string;
  readonly size: number;
}

export interface StoredExport {
  readonly id: string;
  readonly key: string;
  readonly finishedAt: Date;
  /** Who cannot be read blocks; of what was read every bit was authentic. */
  readonly verified: true;
  readonly chunks: readonly string[];
}

/** What there is in a repository, as far as a removal has to know it. */
export interface Survey {
  readonly backups: readonly BackupFacts[];
  readonly exports: readonly StoredExport[];
  readonly segments: readonly StoredSegment[];
  readonly lineages: readonly Lineage[];
  readonly tombstones: readonly Tombstone[];
  /** Names of the chunks that attached files refer to: these stay, whichever backups do. */
  readonly attachedChunks: ReadonlySet<string>;
  /** Why nothing may be removed at all, in words. */
  readonly blocked: readonly string[];
}

const BACKUPS = 'backups/';
const SEGMENT_KEY = /^systems\/(\d+)\/wal\/[0-9A-F]{8}\/([0-9A-F]{24})(?:\.partial)?$/;
const drill = z.object({ verdict: z.string(), finishedAt: z.string() });

/** Reads everything but the chunks. What cannot be read blocks: nobody knows what it needs. */
export async function survey(
  repository: PrunableRepository,
  signal: AbortSignal | undefined,
): Promise<Survey> {
  const blocked: string[] = [];
  const unlessDamaged = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      blocked.push(
        error instanceof BackupProblem ? error.message : `Something is damaged in ${repository.address}.`,
      );
      return undefined;
    }
  };

  const verified = await unlessDamaged(async () => verifiedBackups(repository));
  const held = await unlessDamaged(async () => heldBackups(repository));
  const exports = await unlessDamaged(async () => storedExports(repository));
  const backups: BackupFacts[] = [];
  for (const id of await backupIds(repository)) {
    const manifest = await unlessDamaged(async () => repository.getManifest(id));
    if (manifest) backups.push(factsOf(manifest, verified, held));
    else if (blocked.length === 0)
      blocked.push(`${BACKUPS}${id} in ${repository.address} is no backup that this version knows.`);
  }
  const segments: StoredSegment[] = [];
  for await (const { key, size, modified } of repository.listKeys('systems/')) {
    const [, systemId, segment] = SEGMENT_KEY.exec(key) ?? [];
    if (systemId && segment) segments.push({ key, size, modified, systemId, segment });
  }
  const lineages: Lineage[] = [];
  for (const systemId of new Set(backups.map((backup) => backup.systemId))) {
    for (const { timeline } of await repository.listTimelines(systemId)) {
      const text = await unlessDamaged(async () => repository.getTimelineHistory(systemId, timeline));
      if (text) lineages.push({ systemId, timeline, steps: parseHistory(text.toString('utf8')) });
    }
  }
  const tombstones = await unlessDamaged(async () => repository.listTombstones());
  const attachedChunks = await unlessDamaged(async () => chunksOfAttached(repository));
  const red = await unlessDamaged(async () => redDrill(repository));
  if (red) blocked.push(red);
  return {
    backups,
    exports: exports ?? [],
    segments,
    lineages,
    tombstones: tombstones ?? [],
    attachedChunks: attachedChunks ?? new Set(),
    blocked,
  };
}

/** By the names of the manifests alone. */
export async function backupIds(repository: PrunableRepository): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { key } of repository.listKeys(BACKUPS)) ids.push(key.slice(BACKUPS.length));
  return ids.toSorted();
}

/**
 * The names of all chunks that these backups refer to. Manifests are read one after the other: all at once would be as large as
 * the lists of files of every backup.
 */
export async function referredChunks(
  repository: PrunableRepository,
  backups: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Set<string>> {
  const names = new Set<string>();
  for (const id of backups) {
    signal?.throwIfAborted();
    const manifest = await repository.getManifest(id);
    if (!manifest) continue;
    for (const { name } of manifest.postgresManifest.chunks) names.add(name);
    for (const { chunks } of manifest.files) for (const { name } of chunks) names.add(name);
  }
  return names;
}

async function storedExports(repository: PrunableRepository): Promise<readonly StoredExport[]> {
  return (await listExports(repository)).map(({ id, takenAt, chunks }) => ({
    id,
    key: `records/exports/${id}`,
    finishedAt: new Date(takenAt),
    verified: true,
    chunks: chunks.map(({ name }) => name),
  }));
}

async function chunksOfAttached(repository: PrunableRepository): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for await (const { chunks } of repository.listAttached()) for (const { name } of chunks) names.add(name);
  return names;
}

/** Damage in the repository, which a person has to look at, and no failure that passes by itself. */
function isDamage(error: unknown): boolean {
  if (error instanceof z.ZodError) return true;
  return error instanceof BackupProblem && error.kind !== 'unavailable' && error.kind !== 'busy';
}

function factsOf(
  { id, finishedAt, systemId, timeline, startLsn, stopLsn }: BackupManifest,
  verified: ReadonlySet<string> | undefined,
  held: ReadonlyMap<string, string> | undefined,
): BackupFacts {
  return {
    id,
    finishedAt: new Date(finishedAt),
    systemId,
    timeline,
    startLsn,
    stopLsn,
    verified: verified?.has(id) ?? false,
    held: held?.has(id) ?? true,
  };
}

/** A restore that failed says that what is there may be worth less than it looks: nothing of it is given away. */
async function redDrill(repository: PrunableRepository): Promise<string | undefined> {
  const records = await repository.listRecords('drills');
  const newest = drill.safeParse(records.at(-1)?.record);
  if (!newest.success || newest.data.verdict !== 'failed') return undefined;
  return `The newest drill (${newest.data.finishedAt}) failed. Find out why, and run another one: calculaud drill.`;
}
