import type { BackupFacts, Lineage, SegmentFacts } from './facts.ts';
import { type LogNeed, leadsTo, logFrom, ownLog, windowPositions } from './log-window.ts';
import { PERIODS } from './periods.ts';
import type { RetentionPolicy } from './policy.ts';

export interface BackupChoice {
  readonly backup: BackupFacts;
  readonly keep: boolean;
  /** In words: of what keeps it each one, or why nothing does. */
  readonly reasons: readonly string[];
}

export interface Selection {
  /** Newest first. */
  readonly backups: readonly BackupChoice[];
  /** The log that stays. Of systems that are not named in `freeSystems` everything stays. */
  readonly log: readonly LogNeed[];
  /** Systems with enough verified backups, so that parts of their log may go. */
  readonly freeSystems: ReadonlySet<string>;
}

interface SelectionInput {
  readonly backups: readonly BackupFacts[];
  readonly policy: RetentionPolicy;
  readonly now: Date;
  readonly segments: readonly SegmentFacts[];
  readonly lineages: readonly Lineage[];
}

const DAY_MS = 24 * 60 * 60 * 1000;
/** So many verified backups of a system are never removed, whatever the policy says. */
const AT_LEAST_VERIFIED = 2;

/** Which backups and which parts of the log stay. Each database cluster is judged by itself. */
export function selectKept(input: SelectionInput): Selection {
  const systems = [...new Set(input.backups.map(({ systemId }) => systemId))];
  const each = systems.map((system) => {
    const own = ({ systemId }: { readonly systemId: string }) => systemId === system;
    return selectOfSystem({
      ...input,
      backups: input.backups.filter(own).toSorted(newestFirst),
      segments: input.segments.filter(own),
      lineages: input.lineages.filter(own),
    });
  });
  return {
    backups: each
      .flatMap(({ choices }) => choices)
      .toSorted((one, other) => newestFirst(one.backup, other.backup)),
    log: each.flatMap(({ log }) => log),
    freeSystems: new Set(systems.filter((_, index) => each[index]?.free)),
  };
}

function selectOfSystem(input: SelectionInput): {
  readonly choices: readonly BackupChoice[];
  readonly log: readonly LogNeed[];
  readonly free: boolean;
} {
  const { backups, policy, now } = input;
  // A backup that is dated in the future says that the clock was moved; nothing is concluded from it.
  const dated = backups.filter(({ finishedAt }) => finishedAt <= now);
  const verified = dated.filter((backup) => backup.verified);
  const window = windowBackups(input, dated, verified);
  const periods = newestOfPeriods(dated, policy);

  const choices = backups.map((backup): BackupChoice => {
    const reasons = [
      backup.held ? 'It is under legal hold.' : undefined,
      backup.finishedAt > now ? 'It is dated in the future: the clock was moved.' : undefined,
      window.get(backup),
      ...(periods.get(backup) ?? []),
      verified.slice(0, AT_LEAST_VERIFIED).includes(backup)
        ? 'It is one of the two newest verified backups of its database.'
        : undefined,
      verified.length < AT_LEAST_VERIFIED
        ? `Of its database ${verified.length === 0 ? 'no backup is' : 'only one backup is'} verified: nothing is removed before there are two.`
        : undefined,
      verified.some(({ finishedAt }) => finishedAt > backup.finishedAt)
        ? undefined
        : 'No newer backup of its database is verified.',
    ].filter((reason) => reason !== undefined);
    if (reasons.length > 0) return { backup, keep: true, reasons };
    const why = `It is older than the ${policy.pointInTimeDays} days of the point-in-time window, and no day, week, month or year of the policy keeps it.`;
    return { backup, keep: false, reasons: [why] };
  });

  return {
    choices,
    log: [
      ...[...window.keys()].map(logFrom),
      ...choices.filter(({ keep }) => keep).map(({ backup }) => ownLog(backup)),
    ],
    free: verified.length >= AT_LEAST_VERIFIED,
  };
}

/**
 * Those inside of the window, and those before it from which its first second is reached: a verified one for every timeline
 * that has log in the window, and all after the oldest of these.
 */
function windowBackups(
  { policy, now, segments, lineages }: SelectionInput,
  dated: readonly BackupFacts[],
  verified: readonly BackupFacts[],
): ReadonlyMap<BackupFacts, string> {
  const windowStart = new Date(now.getTime() - policy.pointInTimeDays * DAY_MS);
  const before = verified.filter(({ finishedAt }) => finishedAt <= windowStart);
  const bases = [
    before.at(0),
    ...[...windowPositions(segments, windowStart)].map(([timeline, position]) =>
      before.find((backup) => leadsTo(backup, { timeline, position }, lineages)),
    ),
  ];
  // Where one is not found, nobody knows what may be needed: all of them.
  const oldest = bases.includes(undefined)
    ? undefined
    : Math.min(...bases.map((base) => base?.finishedAt.getTime() ?? 0));
  const found = new Map<BackupFacts, string>();
  for (const backup of dated) {
    if (backup.finishedAt >= windowStart) {
      found.set(backup, `It is inside of the point-in-time window of ${policy.pointInTimeDays} days.`);
    } else if (oldest === undefined || backup.finishedAt.getTime() >= oldest) {
      found.set(backup, 'The beginning of the point-in-time window is restored from it.');
    }
  }
  return found;
}

/** Of exports, which a restore needs nothing else for: those of the window, the newest of each period, and the two newest. */
export function selectExports<T extends Dated>(
  exports: readonly T[],
  { policy, now }: Pick<SelectionInput, 'policy' | 'now'>,
): ReadonlySet<T> {
  const windowStart = new Date(now.getTime() - policy.pointInTimeDays * DAY_MS);
  const newest = exports.toSorted((one, other) => other.finishedAt.getTime() - one.finishedAt.getTime());
  const dated = newest.filter(({ finishedAt }) => finishedAt <= now);
  return new Set([
    ...newest.filter(({ finishedAt }) => finishedAt > now || finishedAt >= windowStart),
    ...dated.slice(0, AT_LEAST_VERIFIED),
    ...newestOfPeriods(dated, policy).keys(),
  ]);
}

type Dated = Pick<BackupFacts, 'finishedAt' | 'verified'>;

/**
 * The newest verified one of each period; where none is verified, the newest one, and then the period is not counted:
 * what is not verified is never the reason to remove what is.
 */
function newestOfPeriods<T extends Dated>(
  dated: readonly T[],
  policy: RetentionPolicy,
): ReadonlyMap<T, readonly string[]> {
  const found = new Map<T, string[]>();
  for (const { rule, word, of } of PERIODS) {
    let left = policy[rule];
    for (const name of new Set(dated.map(({ finishedAt }) => of(finishedAt)))) {
      if (left === 0) break;
      const backups = dated.filter(({ finishedAt }) => of(finishedAt) === name);
      const newest = backups.find(({ verified }) => verified) ?? backups[0];
      if (!newest) continue;
      if (newest.verified) left -= 1;
      const reason = `It is the newest ${newest.verified ? 'verified ' : ''}one of the ${word} ${name}.`;
      found.set(newest, [...(found.get(newest) ?? []), reason]);
    }
  }
  return found;
}

function newestFirst(one: BackupFacts, other: BackupFacts): number {
  return other.finishedAt.getTime() - one.finishedAt.getTime() || (one.id < other.id ? 1 : -1);
}
