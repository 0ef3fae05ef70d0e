import { formatLsn, parseLsn, placeOf, SEGMENT_BYTES, segmentAt, startOfSegment } from '../postgres/lsn.ts';
import type { BackupManifest } from '../repository/manifest.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { WalGap } from '../repository/repository.ts';

/** To which moment a restore goes. */
export type Target =
  | { readonly kind: 'latest' }
  | { readonly kind: 'time'; readonly time: Date }
  | { readonly kind: 'lsn'; readonly lsn: string }
  | { readonly kind: 'point'; readonly name: string }
  /** The moment at which the backup was finished. */
  | { readonly kind: 'backup'; readonly id: string };

const BACKUP_ID = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;
/** A full one, or what was changed since it. */
const PGBACKREST_ID = /^\d{8}-\d{6}F(_\d{8}-\d{6}[DI])?$/;

/** What somebody typed after `--to`. */
export function parseTarget(text: string): Target {
  if (text === 'latest') return { kind: 'latest' };
  if (/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i.test(text)) return { kind: 'lsn', lsn: text.toUpperCase() };
  if (BACKUP_ID.test(text) || PGBACKREST_ID.test(text)) return { kind: 'backup', id: text };
  if (/^\d{4}-\d\d-\d\d[T ]\d\d:\d\d/.test(text)) {
    if (!/(Z|[+-]\d\d:?\d\d)$/.test(text)) {
      throw new BackupProblem(
        'impossible',
        `The time ${text} has no zone, and could be several moments. Write it with one: ${text.replace(' ', 'T')}Z or ${text.replace(' ', 'T')}+02:00.`,
      );
    }
    const time = new Date(text.replace(' ', 'T'));
    if (!Number.isNaN(time.getTime())) return { kind: 'time', time };
  }
  if (/^point:[\w.-]{1,63}$/.test(text)) return { kind: 'point', name: text.slice('point:'.length) };
  throw new BackupProblem(
    'impossible',
    `"${text}" is no moment to restore to. Write latest, a time such as 2026-12-01T09:30:00Z, the id of a backup (calculaud backup list), or point:<name of a restore point>.`,
  );
}

export function describeTarget(target: Target): string {
  if (target.kind === 'time') return target.time.toISOString();
  if (target.kind === 'lsn') return `the position ${target.lsn}`;
  if (target.kind === 'point') return `the restore point ${target.name}`;
  if (target.kind === 'backup') return `the backup ${target.id}`;
  return 'the latest moment';
}

/** The newest backup from which the target can be reached. */
export function chooseBase<B extends Pick<BackupManifest, 'id' | 'finishedAt' | 'stopLsn'>>(
  manifests: readonly B[],
  target: Target,
): B {
  const newestFirst = manifests.toSorted((a, b) => b.finishedAt.localeCompare(a.finishedAt));
  const fits = (manifest: B): boolean => {
    if (target.kind === 'backup') return manifest.id === target.id;
    if (target.kind === 'time') return new Date(manifest.finishedAt) <= target.time;
    if (target.kind === 'lsn') return parseLsn(manifest.stopLsn) <= parseLsn(target.lsn);
    return true;
  };
  const base = newestFirst.find(fits);
  if (base) return base;
  const oldest = newestFirst.at(-1);
  throw new BackupProblem(
    'impossible',
    oldest
      ? `No backup reaches back to ${describeTarget(target)}: the oldest one was finished at ${oldest.finishedAt}.`
      : 'There is no backup yet.',
  );
}

export interface Stretch {
  /** In their order, the first one holding the start of the backup; the last one may be partial. */
  readonly segments: readonly string[];
  /** The first one that is not there although later ones are. */
  readonly missing: string | undefined;
}

/** Segments of one timeline that follow each other without a hole, from the start of the backup on. */
export function contiguous(
  base: Pick<BackupManifest, 'timeline' | 'startLsn'>,
  available: ReadonlySet<string>,
): Stretch {
  const segments: string[] = [];
  let position = startOfSegment(parseLsn(base.startLsn));
  for (; available.has(segmentAt(base.timeline, position)); position += SEGMENT_BYTES) {
    segments.push(segmentAt(base.timeline, position));
  }
  const later = [...available].some((segment) => {
    const place = placeOf(segment);
    return place?.timeline === base.timeline && place.start > position;
  });
  return { segments, missing: later ? segmentAt(base.timeline, position) : undefined };
}

/** A restore does not go across what nobody has. */
export function assertNoGap(gaps: readonly WalGap[], base: BackupManifest, upTo: bigint): void {
  const start = parseLsn(base.startLsn);
  const gap = gaps.find(
    ({ timeline, fromLsn, toLsn }) =>
      timeline === base.timeline && parseLsn(fromLsn) < upTo && parseLsn(toLsn) > start,
  );
  if (!gap) return;
  throw new BackupProblem(
    'missing',
    `The log from ${gap.fromLsn} to ${gap.toLsn} was never received (noticed at ${gap.noticedAt}: ${gap.reason}). Restore to a moment before ${formatLsn(parseLsn(gap.fromLsn))}, or to a backup made after it.`,
    { object: `${gap.fromLsn} to ${gap.toLsn}` },
  );
}
