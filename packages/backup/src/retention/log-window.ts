import { parseLsn, placeOf, SEGMENT_BYTES, startOfSegment } from '../postgres/lsn.ts';
import type { BackupFacts, Lineage, SegmentFacts } from './facts.ts';

/** Segments that somebody needs. Without `to`, all that follow, on this timeline and on later ones. */
export interface LogNeed {
  readonly systemId: string;
  readonly timeline: number;
  readonly from: bigint;
  readonly to?: bigint;
}

/**
 * The first position of each timeline that is in the window, from the dates of the segments. Dates of backups alone are not
 * enough: a clock that was moved dates a backup before the log that it ends in, and a restore begins a timeline in the middle
 * of another one.
 */
export function windowPositions(
  segments: readonly SegmentFacts[],
  windowStart: Date,
): ReadonlyMap<number, bigint> {
  const first = new Map<number, bigint>();
  for (const { segment, modified } of segments) {
    const place = placeOf(segment);
    if (!place || modified < windowStart) continue;
    const before = first.get(place.timeline);
    if (before === undefined || place.start < before) first.set(place.timeline, place.start);
  }
  return first;
}

/** Whether a restore from this backup can go to a position of a timeline. */
export function leadsTo(
  { timeline, stopLsn }: Pick<BackupFacts, 'timeline' | 'stopLsn'>,
  target: { readonly timeline: number; readonly position: bigint },
  lineages: readonly Lineage[],
): boolean {
  // By segments: a backup ends its segment, so what follows it begins with the next one.
  const stop = startOfSegment(parseLsn(stopLsn));
  if (timeline === target.timeline) return stop <= target.position;
  const steps = lineages.find((lineage) => lineage.timeline === target.timeline)?.steps ?? [];
  const step = steps.find((each) => each.timeline === timeline);
  return step !== undefined && parseLsn(stopLsn) <= step.until;
}

/** What a backup cannot be opened without: the log between its start and its stop. */
export function ownLog({ systemId, timeline, startLsn, stopLsn }: BackupFacts): LogNeed {
  return { systemId, timeline, from: parseLsn(startLsn), to: parseLsn(stopLsn) };
}

/** What is needed to go from a backup to any later moment. */
export function logFrom({ systemId, timeline, startLsn }: BackupFacts): LogNeed {
  return { systemId, timeline, from: parseLsn(startLsn) };
}

/** Whether one of the needs holds the segment. What is no segment is needed: nobody knows what it is. */
export function segmentNeeded(
  { systemId, segment }: Pick<SegmentFacts, 'systemId' | 'segment'>,
  needs: readonly LogNeed[],
): boolean {
  const place = placeOf(segment);
  if (!place) return true;
  return needs.some(({ systemId: system, timeline, from, to }) => {
    if (system !== systemId || place.start + SEGMENT_BYTES <= from) return false;
    if (to === undefined) return place.timeline >= timeline;
    return place.timeline === timeline && place.start <= to;
  });
}
