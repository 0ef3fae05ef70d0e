import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  historyName,
  parseHistory,
  parseLsn,
  placeOf,
  SEGMENT_BYTES,
  segmentAt,
  startOfSegment,
  type TimelineStep,
} from '../postgres/lsn.ts';
import type { BackupManifest } from '../repository/manifest.ts';
import type { Repository } from '../repository/repository.ts';

/**
 * One life of the database: each restore leaves the timeline it came from and begins one of its own. A restore goes along a
 * branch, from a backup that lies on it, over the timelines that led to its last one.
 */
export interface Branch {
  readonly systemId: string;
  readonly timeline: number;
  /** Those that led to it, oldest first. */
  readonly steps: readonly TimelineStep[];
  /** When its own timeline began; undefined for the first one. */
  readonly since: Date | undefined;
}

/** Every segment that can be read, in the repository or on this machine, by its name. */
export type Available = ReadonlySet<string>;

export interface Log {
  readonly branches: readonly Branch[];
  readonly available: Available;
}

/** The log that there is of a cluster, and its branches, the newest first. */
export async function findLog(
  repository: Repository,
  systemId: string,
  spool: string | undefined,
): Promise<Log> {
  const folder = spool === undefined ? undefined : join(spool, systemId);
  const local = folder === undefined ? [] : await readdir(folder).catch(() => []);
  const stored = await repository.listSegments(systemId);
  const available = new Set(stored.map(({ segment }) => segment));
  for (const name of local) if (placeOf(name.slice(0, 24))) available.add(name.slice(0, 24));

  const begun = new Map(
    (await repository.listTimelines(systemId)).map((each) => [each.timeline, each.since]),
  );
  const timelines = new Set([...available].map((segment) => placeOf(segment)?.timeline ?? 1));
  const branches: Branch[] = [];
  for (const timeline of [...timelines].toSorted((one, other) => other - one)) {
    const path = folder === undefined ? undefined : join(folder, historyName(timeline));
    const content =
      (await repository.getTimelineHistory(systemId, timeline)) ??
      (path === undefined ? undefined : await readFile(path).catch(() => undefined));
    // Without its history nobody knows what led to it.
    if (!content && timeline > 1) continue;
    const since = begun.get(timeline) ?? (path === undefined ? undefined : await modifiedAt(path));
    branches.push({
      systemId,
      timeline,
      steps: content ? parseHistory(content.toString('utf8')) : [],
      since,
    });
  }
  return { branches, available };
}

/** Whether a restore from this backup can go along the branch. */
export function liesOn(
  { systemId, timeline, stopLsn }: Pick<BackupManifest, 'systemId' | 'timeline' | 'stopLsn'>,
  branch: Branch,
): boolean {
  if (systemId !== branch.systemId) return false;
  if (timeline === branch.timeline) return true;
  const step = branch.steps.find((each) => each.timeline === timeline);
  return step !== undefined && parseLsn(stopLsn) <= step.until;
}

/**
 * The segment of a branch that holds a position: where a timeline begins in the middle of one, it has a copy of all before,
 * and PostgreSQL reads that.
 */
export function segmentOn({ timeline, steps }: Branch, position: bigint): string {
  const start = startOfSegment(position);
  const step = steps.find(({ until }) => start < startOfSegment(until));
  return segmentAt(step?.timeline ?? timeline, position);
}

export interface Stretch {
  /** In their order, the first one holding the start of the backup; the last one may be partial. */
  readonly segments: readonly string[];
  /** The first one that is not there although later ones are. */
  readonly missing: string | undefined;
}

/** Segments of one branch that follow each other without a hole, from the start of the backup on. */
export function contiguous(
  { startLsn }: Pick<BackupManifest, 'startLsn'>,
  branch: Branch,
  available: Available,
): Stretch {
  const segments: string[] = [];
  let position = startOfSegment(parseLsn(startLsn));
  for (; available.has(segmentOn(branch, position)); position += SEGMENT_BYTES) {
    segments.push(segmentOn(branch, position));
  }
  const later = [...available].some((segment) => {
    const place = placeOf(segment);
    return place !== undefined && place.start > position && segmentOn(branch, place.start) === segment;
  });
  return { segments, missing: later ? segmentOn(branch, position) : undefined };
}

async function modifiedAt(path: string): Promise<Date | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.mtime;
}
