import { formatLsn, parseLsn, placeOf } from '../postgres/lsn.ts';
import type { BackupManifest } from '../repository/manifest.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { WalGap } from '../repository/repository.ts';
import { type Available, type Branch, liesOn, type Log, segmentOn } from './branch.ts';

/** To which moment a restore goes. */
export type Target =
  | { readonly kind: 'latest' }
  | { readonly kind: 'time'; readonly time: Date }
  | { readonly kind: 'lsn'; readonly lsn: string }
  /** A named restore point; where it lies in the log, when that is known. */
  | { readonly kind: 'point'; readonly name: string; readonly lsn?: string }
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

/** From which backup a restore begins, and along which branch it goes. */
export interface Route {
  readonly base: BackupManifest;
  readonly branch: Branch;
}

/**
 * The ways to the target, the best one first. A time is one of the life that the system led then: what was restored
 * later, and what a restore left behind before, have other times. Of a named point nobody knows where it lies before the log
 * was looked through, so that all are told.
 */
export function findRoutes(
  manifests: readonly BackupManifest[],
  logs: ReadonlyMap<string, Log>,
  target: Target,
): readonly [Route, ...Route[]] {
  const newestFirst = manifests.toSorted((a, b) => b.finishedAt.localeCompare(a.finishedAt));
  const systems = [...new Set(newestFirst.map(({ systemId }) => systemId))];
  const routes = systems.flatMap((systemId) => {
    const { branches, available } = logs.get(systemId) ?? { branches: [], available: new Set<string>() };
    return branches.flatMap((branch): Route[] =>
      newestFirst
        .filter((base) => liesOn(base, branch) && fits(base, branch, available, target))
        .map((base) => ({ base, branch })),
    );
  });
  // One whose log is lost is named all the same, so that the restore says what is lost.
  const alone = newestFirst
    .filter((base) => reaches(base, target))
    .map((base): Route => {
      const { systemId, timeline } = base;
      const branch = logs.get(systemId)?.branches.find((each) => each.timeline === timeline);
      return { base, branch: branch ?? { systemId, timeline, steps: [], since: undefined } };
    });
  const [first, ...others] = target.kind === 'backup' ? alone : [...routes, ...alone];
  const isKnown = target.kind !== 'point' || target.lsn !== undefined;
  if (first) return isKnown ? [first] : [first, ...others];
  throw unreachable(newestFirst.at(-1), target);
}

type Reachable = Pick<BackupManifest, 'id' | 'finishedAt' | 'stopLsn'>;

/** The newest backup from which the target can be reached, where there is one life only. */
export function chooseBase<B extends Reachable>(backups: readonly B[], target: Target): B {
  const newestFirst = backups.toSorted((a, b) => b.finishedAt.localeCompare(a.finishedAt));
  const base = newestFirst.find((backup) => reaches(backup, target));
  if (base) return base;
  throw unreachable(newestFirst.at(-1), target);
}

function unreachable(oldest: Reachable | undefined, target: Target): BackupProblem {
  return new BackupProblem(
    'impossible',
    oldest
      ? `No backup reaches back to ${describeTarget(target)}: the oldest one was finished at ${oldest.finishedAt}.`
      : 'There is no backup yet.',
  );
}

function reaches(base: Reachable, target: Target): boolean {
  if (target.kind === 'backup') return base.id === target.id;
  if (target.kind === 'time') return new Date(base.finishedAt) <= target.time;
  const lsn = positionOf(target);
  return lsn === undefined || parseLsn(base.stopLsn) <= parseLsn(lsn);
}

/** Where in the log the target lies, as far as that is known before the log is looked through. */
export function positionOf(target: Target): string | undefined {
  return target.kind === 'lsn' || target.kind === 'point' ? target.lsn : undefined;
}

function fits(base: BackupManifest, branch: Branch, available: Available, target: Target): boolean {
  if (!reaches(base, target)) return false;
  if (target.kind === 'time') return branch.since === undefined || branch.since <= target.time;
  const lsn = positionOf(target);
  return lsn === undefined || available.has(segmentOn(branch, parseLsn(lsn)));
}

/** A restore does not go across what nobody has. */
export function assertNoGap(gaps: readonly WalGap[], { base, branch }: Route, upTo: bigint): void {
  const start = parseLsn(base.startLsn);
  const gap = gaps.find(
    ({ timeline, fromLsn, toLsn }) =>
      placeOf(segmentOn(branch, parseLsn(fromLsn)))?.timeline === timeline &&
      parseLsn(fromLsn) < upTo &&
      parseLsn(toLsn) > start,
  );
  if (!gap) return;
  throw new BackupProblem(
    'missing',
    `The log from ${gap.fromLsn} to ${gap.toLsn} was never received (noticed at ${gap.noticedAt}: ${gap.reason}). Restore to a moment before ${formatLsn(parseLsn(gap.fromLsn))}, or to a backup made after it.`,
    { object: `${gap.fromLsn} to ${gap.toLsn}` },
  );
}
