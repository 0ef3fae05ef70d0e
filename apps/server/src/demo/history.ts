import type { Draft } from './drafts.ts';
import { DAY, dayText, duringDay, type LocalTime, MINUTE, startOfDay, workdayAfter } from './local-time.ts';
import { officers } from './people.ts';
import { type Act, endOf, runStages, type StageProgress, type StageType } from './progress.ts';
import { Random } from './random.ts';
import { comments, type Situation } from './remarks.ts';

/** What became of a purpose until now. */
export interface History {
  /** The stages of its purchases. */
  readonly purchases: readonly (readonly StageProgress[])[];
  readonly statuses: readonly StatusChange[];
  readonly flag: Flag | null;
  readonly comments: string | null;
  /** `YYYY-MM-DD` */
  readonly expected_delivery: string | null;
  /** Nobody: the job that flags. */
  readonly last: { readonly at: LocalTime; readonly by: Act['by'] | null };
}

type Status = 'IN_PROGRESS' | 'SIGNED' | 'PARTIALLY_SUPPLIED' | 'COMPLETED';

export interface StatusChange extends Act {
  readonly from: Status | null;
  readonly to: Status;
}

/** `cause`: it was the job, because of this stage. */
export interface Flag {
  readonly at: LocalTime;
  readonly by: Act['by'] | null;
  readonly cause: Waiting | null;
}

/** A stage that a purchase waits for, and since when. */
interface Waiting {
  /** The place of the purchase in the history. */
  readonly purchase: number;
  readonly type: StageType;
  readonly since: LocalTime;
  /** After more days than this the job flags. */
  readonly allowed: number;
}

export interface Circumstances {
  readonly now: LocalTime;
  /** For stage types that say nothing else. */
  readonly autoFlagDays: number;
  readonly customType: StageType;
}

/** `flows`: what the rules chose for each purchase. */
export function tellHistory(
  draft: Draft,
  flows: readonly (readonly { readonly type: StageType; readonly priority: number }[])[],
  { now, autoFlagDays, customType }: Circumstances,
): History {
  const random = new Random(draft.seed);
  const purchases = draft.purchases.map((purchase, index) =>
    runStages(draft, purchase, flows[index] ?? [], { now, customType, random }),
  );
  const statuses = tellStatuses(draft, orderedAt(purchases), { now, random });
  const moved = latest([
    { at: draft.created, by: draft.officer },
    ...draft.purchases.map(({ created }) => ({ at: created, by: draft.officer })),
    ...draft.documents.map(({ at }) => ({ at, by: draft.officer })),
    ...purchases.flat().flatMap(({ created, started, done }) => [created, started ?? [], done ?? []].flat()),
    ...statuses,
  ]);
  const flag = tellFlag(purchases, statuses, moved, { random, now, autoFlagDays });
  return {
    purchases,
    statuses,
    flag,
    comments: tellComments(draft, statuses, flag, random),
    expected_delivery: expectDelivery(draft, statuses, random),
    last: flag && flag.at > moved.at ? flag : moved,
  };
}

function latest(acts: readonly Act[]): Act {
  return acts.reduce((last, act) => (act.at >= last.at ? act : last));
}

/** When all orders were placed; null while one is not. */
function orderedAt(purchases: readonly (readonly StageProgress[])[]): LocalTime | null {
  const ends = purchases.map(endOf);
  const known = ends.filter((end) => end !== null);
  return known.length === ends.length && known.length > 0 ? Math.max(...known) : null;
}

function tellStatuses(
  { created, officer }: Draft,
  ordered: LocalTime | null,
  { now, random }: { readonly now: LocalTime; readonly random: Random },
): StatusChange[] {
  const changes: StatusChange[] = [{ from: null, to: 'IN_PROGRESS', at: created, by: officer }];
  /** False: that lies in the future. */
  const change = (to: Status, at: LocalTime): boolean => {
    if (at > now) return false;
    const from = changes.at(-1)?.to ?? null;
    changes.push({ from, to, at, by: random.chance(0.8) ? officer : random.pick(officers) });
    return true;
  };
  const later = (least: number, most: number): LocalTime => {
    const last = changes.at(-1)?.at ?? created;
    return duringDay(workdayAfter(last, random.integer(least, most)), last, random);
  };

  if (ordered === null || !change('SIGNED', ordered + random.integer(4, 90) * MINUTE)) return changes;
  if (random.chance(0.35)) {
    if (!change('PARTIALLY_SUPPLIED', later(8, 30))) return changes;
    // Of some the rest never comes.
    if (random.chance(0.08)) return changes;
  }
  if (!change('COMPLETED', later(10, 40))) return changes;
  // Opened again, because something was missing or broken.
  if (random.chance(0.05) && change('PARTIALLY_SUPPLIED', later(3, 25))) change('COMPLETED', later(5, 20));
  return changes;
}

function tellFlag(
  purchases: readonly (readonly StageProgress[])[],
  statuses: readonly StatusChange[],
  moved: Act,
  { random, now, autoFlagDays }: { random: Random; now: LocalTime; autoFlagDays: number },
): Flag | null {
  if (statuses.at(-1)?.to === 'COMPLETED') return null;
  const flagged = purchases
    .flatMap((stages, index) => waitingStages(stages, index, autoFlagDays))
    .map((cause) => ({ at: cause.since + (cause.allowed + 1) * DAY + 5 * MINUTE, by: null, cause }))
    .filter(({ at }) => startOfDay(at) <= now)
    // The order of the job: the first of the day, and of those the first purchase and stage type.
    .toSorted((one, other) => one.at - other.at || byPlace(one.cause, other.cause));
  const [first] = flagged;
  if (first) return { ...first, at: Math.min(first.at, now) };
  // Some are flagged by a person, soon after something happened.
  const at = duringDay(workdayAfter(moved.at, 1), moved.at, random);
  return random.chance(0.08) && at <= now ? { at, by: random.pick(officers), cause: null } : null;
}

function byPlace(one: Waiting, other: Waiting): number {
  return one.purchase - other.purchase || one.type.id - other.type.id;
}

/** The pending stages of the current level, counted from the day when the level before it was complete. */
function waitingStages(
  stages: readonly StageProgress[],
  purchase: number,
  autoFlagDays: number,
): readonly Waiting[] {
  const pending = stages.filter(({ done }) => done === null);
  const current = Math.min(...pending.map(({ priority }) => priority));
  const before = endOf(stages.filter(({ priority }) => priority === current - 1));
  if (before === null) return [];
  return pending
    .filter(({ priority }) => priority === current)
    .map(({ type }) => ({
      purchase,
      type,
      since: startOfDay(before),
      allowed: type.auto_flag_days ?? autoFlagDays,
    }));
}

function tellComments(
  { language, purchases }: Draft,
  statuses: readonly StatusChange[],
  flag: Flag | null,
  random: Random,
): string | null {
  if (!random.chance(0.55)) return null;
  return random.pick(comments[situationOf(statuses, flag, purchases.length)][language]);
}

function situationOf(statuses: readonly StatusChange[], flag: Flag | null, purchases: number): Situation {
  const last = statuses.at(-1);
  if (last?.to === 'COMPLETED') return 'delivered';
  if (last?.to === 'PARTIALLY_SUPPLIED') return last.from === 'COMPLETED' ? 'returned' : 'partial';
  if (last?.to === 'SIGNED') return 'ordered';
  if (flag?.cause) return 'stuck';
  return purchases === 0 ? 'new' : 'waiting';
}

/** Of what was delivered, a day around that; of the rest, one or a few months after the purpose was filed. */
function expectDelivery(
  { created, purchases }: Draft,
  statuses: readonly StatusChange[],
  random: Random,
): string | null {
  if (!random.chance(purchases.length > 0 ? 0.9 : 0.5)) return null;
  const delivered = statuses.find(({ to }) => to === 'COMPLETED');
  return dayText(
    delivered ? delivered.at + random.integer(-15, 10) * DAY : created + random.integer(60, 200) * DAY,
  );
}
