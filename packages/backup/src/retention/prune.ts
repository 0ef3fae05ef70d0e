import { createHash } from 'node:crypto';
import { z } from 'zod';
import { systemIdText } from '../repository/manifest.ts';
import { BackupProblem } from '../repository/problem.ts';
import { newRecordName } from '../repository/record-name.ts';
import { type Fate, type JudgedObject, type Judgement, judge } from './judge.ts';
import { type RetentionPolicy, retentionPolicy } from './policy.ts';
import type { PrunableRepository, Tombstone } from './prunable.ts';
import { backupIds } from './survey.ts';

const HOUR_MS = 60 * 60 * 1000;
/** Between the mark and the removal: time to notice a wrong policy, a wrong clock or a missing hold. */
const GRACE_MS = 72 * HOUR_MS;
/** What was shown longer ago is not what is there now. */
const PLAN_GOOD_FOR_MS = 24 * HOUR_MS;
/** One list of marked objects is at most as large as a chunk. */
const KEYS_OF_A_TOMBSTONE = 10_000;
const DELETIONS_AT_ONCE = 16;

const fate = z.enum(['keep', 'mark', 'wait', 'remove']);
const tally = z.strictObject({ count: z.int(), bytes: z.int() });
const tallies = z.strictObject({ keep: tally, mark: tally, wait: tally, remove: tally });

/** What a prune would do now, for people and for `applyPrune`. It is JSON. */
export const prunePlan = z.strictObject({
  /** Of what it does: two plans with the same id do the same. */
  id: z.string(),
  repository: z.string(),
  address: z.string(),
  at: z.iso.datetime(),
  policy: retentionPolicy,
  /** Why nothing may be removed at all; then everything is kept. */
  blocked: z.array(z.string()),
  backups: z.array(
    z.strictObject({
      id: z.string(),
      finishedAt: z.iso.datetime(),
      systemId: systemIdText,
      verified: z.boolean(),
      fate,
      reasons: z.array(z.string()),
      /** When it is removed, unless something needs it again. */
      removedAfter: z.iso.datetime().nullable(),
    }),
  ),
  exports: z.array(z.strictObject({ id: z.string(), takenAt: z.iso.datetime(), fate })),
  segments: tallies,
  /** Segments that are not kept, as stretches of the log. */
  stretches: z.array(
    z.strictObject({ systemId: systemIdText, first: z.string(), last: z.string(), fate, count: z.int() }),
  ),
  chunks: tallies,
  /** Of segments and chunks. */
  bytes: z.strictObject({ now: z.int(), later: z.int() }),
});
export type PrunePlan = z.output<typeof prunePlan>;

export interface PruneOutcome {
  readonly plan: string;
  readonly removed: {
    readonly backups: readonly string[];
    readonly exports: readonly string[];
    readonly segments: number;
    readonly chunks: number;
    readonly bytes: number;
  };
  readonly marked: number;
  /** Marked before, and needed again. */
  readonly unmarked: number;
}

/** Says what would be marked and removed, and why the rest stays. Changes nothing. */
export async function planPrune(
  repository: PrunableRepository,
  policy: RetentionPolicy,
  { now }: { readonly now: Date },
): Promise<PrunePlan> {
  const judgement = await judge(repository, {
    policy,
    now,
    sweepBefore: new Date(now.getTime() - GRACE_MS),
  });
  const { segments, chunks, blocked } = judgement;
  const content = {
    repository: repository.id,
    address: repository.address,
    policy,
    blocked: [...blocked],
    backups: judgement.backups.map(({ backup, fate, reasons, markedAt }) => ({
      id: backup.id,
      finishedAt: backup.finishedAt.toISOString(),
      systemId: backup.systemId,
      verified: backup.verified,
      fate,
      reasons: [...reasons],
      removedAfter: fate === 'keep' ? null : new Date((markedAt ?? now).getTime() + GRACE_MS).toISOString(),
    })),
    exports: judgement.exports.map(({ id, finishedAt, fate }) => ({
      id,
      takenAt: finishedAt.toISOString(),
      fate,
    })),
    segments: talliesOf(segments),
    stretches: stretchesOf(segments),
    chunks: talliesOf(chunks),
    bytes: {
      now: bytesOf([...segments, ...chunks], 'remove'),
      later: bytesOf([...segments, ...chunks], 'mark') + bytesOf([...segments, ...chunks], 'wait'),
    },
  };
  const does = content.backups.map(({ id, fate }) => [id, fate]);
  const id = createHash('sha256')
    .update(JSON.stringify([content.repository, does, content.exports, content.segments, content.chunks]))
    .digest('hex')
    .slice(0, 16);
  return { id, at: now.toISOString(), ...content };
}

/**
 * Marks what became needless, and removes what the plan shows and has waited for 72 hours. Everything is judged again, while
 * no backup runs and none can begin: what a new backup refers to loses its mark. It may be killed anywhere and run again.
 */
export async function applyPrune(
  repository: PrunableRepository,
  plan: PrunePlan,
  {
    now,
    who,
  }: {
    readonly now: Date;
    /** For whoever finds the repository busy, and for the marks. */
    readonly who: string;
  },
): Promise<PruneOutcome> {
  const { at, policy, ...shown } = prunePlan.parse(plan);
  const plannedAt = new Date(at);
  assertFitting(repository, { repository: shown.repository, plannedAt }, now);
  assertNotBlocked(repository, shown.blocked);
  return repository.withLease('prune', who, async (pruneLost) =>
    // Held by nobody else from here on: a backup that begins now could count on chunks that go.
    repository.withLease('backup', who, async (backupLost) => {
      const signal = AbortSignal.any([pruneLost, backupLost]);
      const judgement = await judge(repository, {
        policy,
        now,
        sweepBefore: new Date(plannedAt.getTime() - GRACE_MS),
        confirmed: new Set(shown.backups.filter(({ fate }) => fate !== 'keep').map(({ id }) => id)),
        signal,
      });
      assertNotBlocked(repository, judgement.blocked);
      return new Prune(repository, judgement, { now, who, signal }).run(shown.id);
    }),
  );
}

function assertFitting(
  { id, address }: PrunableRepository,
  plan: { readonly repository: string; readonly plannedAt: Date },
  now: Date,
): void {
  if (plan.repository !== id) {
    throw new BackupProblem(
      'foreign',
      `The plan is for the repository ${plan.repository}, and ${address} is ${id}. Make a plan for this one.`,
    );
  }
  const age = now.getTime() - plan.plannedAt.getTime();
  if (age < 0 || age > PLAN_GOOD_FOR_MS) {
    throw new BackupProblem(
      'impossible',
      `The plan was made at ${plan.plannedAt.toISOString()}, and now it is ${now.toISOString()}: ${
        age < 0 ? 'the clock was moved' : 'it is older than a day'
      }. Look at a new plan.`,
    );
  }
}

function assertNotBlocked({ address }: PrunableRepository, blocked: readonly string[]): void {
  if (blocked.length === 0) return;
  throw new BackupProblem(
    'impossible',
    `Nothing is removed from ${address}, because it is not certain what is needed there. ${blocked.join(' ')}`,
  );
}

/** One run, under both leases. The order of its steps is what makes it safe to be killed between any two of them. */
class Prune {
  readonly #repository: PrunableRepository;
  readonly #judgement: Judgement;
  readonly #now: Date;
  readonly #who: string;
  readonly #signal: AbortSignal;
  #tombstones: readonly Tombstone[];

  constructor(
    repository: PrunableRepository,
    judgement: Judgement,
    { now, who, signal }: { readonly now: Date; readonly who: string; readonly signal: AbortSignal },
  ) {
    this.#repository = repository;
    this.#judgement = judgement;
    this.#tombstones = judgement.tombstones;
    this.#now = now;
    this.#who = who;
    this.#signal = signal;
  }

  async run(plan: string): Promise<PruneOutcome> {
    const { backups, exports, segments, chunks } = this.#judgement;
    const objects = [...backups, ...exports, ...segments, ...chunks];
    const of = (wanted: Fate) => objects.filter(({ fate }) => fate === wanted).map(({ key }) => key);
    const [waiting, fresh] = [of('wait'), of('mark')];
    const before = new Set(this.#tombstones.flatMap(({ keys }) => keys));
    const unmarked = of('keep').filter((key) => before.has(key)).length;

    await this.#keepMarks([...waiting, ...of('remove')]);
    await this.#mark(fresh);
    // First the manifests: a backup without a manifest is none, and one without a chunk would be a lie.
    const isRemoved = ({ fate }: { readonly fate: Fate }) => fate === 'remove';
    const gone = { backups: backups.filter(isRemoved), exports: exports.filter(isRemoved) };
    await this.#delete([...gone.backups, ...gone.exports].map(({ key }) => key));
    await this.#assertNoBackupSince();
    const removed = { segments: segments.filter(isRemoved), chunks: chunks.filter(isRemoved) };
    await this.#delete([...removed.segments, ...removed.chunks].map(({ key }) => key));
    await this.#keepMarks(waiting);
    return {
      plan,
      removed: {
        backups: gone.backups.map(({ backup }) => backup.id),
        exports: gone.exports.map(({ id }) => id),
        segments: removed.segments.length,
        chunks: removed.chunks.length,
        bytes: bytesOf([...removed.segments, ...removed.chunks], 'remove'),
      },
      marked: fresh.length,
      unmarked,
    };
  }

  /** All others lose theirs: somebody needs them again, or they are gone. */
  async #keepMarks(keys: readonly string[]): Promise<void> {
    const kept = new Set(keys);
    const rest: Tombstone[] = [];
    for (const tombstone of this.#tombstones) {
      this.#signal.throwIfAborted();
      // One from the future waits from now on.
      const markedAt = new Date(Math.min(Date.parse(tombstone.markedAt), this.#now.getTime())).toISOString();
      const left = { ...tombstone, markedAt, keys: tombstone.keys.filter((key) => kept.has(key)) };
      if (left.keys.length === 0) {
        await this.#repository.removeTombstone(tombstone.name);
        continue;
      }
      rest.push(left);
      const changed =
        left.keys.length < tombstone.keys.length || Date.parse(markedAt) < Date.parse(tombstone.markedAt);
      if (changed) await this.#repository.putTombstone(left);
    }
    this.#tombstones = rest;
  }

  async #mark(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += KEYS_OF_A_TOMBSTONE) {
      this.#signal.throwIfAborted();
      await this.#repository.putTombstone({
        format: 1,
        name: newRecordName(this.#now),
        markedAt: this.#now.toISOString(),
        who: this.#who,
        keys: keys.slice(from, from + KEYS_OF_A_TOMBSTONE),
      });
    }
  }

  async #delete(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += DELETIONS_AT_ONCE) {
      this.#signal.throwIfAborted();
      const some = keys.slice(from, from + DELETIONS_AT_ONCE);
      // All are waited for: nothing is deleted any more once the lease is given back.
      const ended = await Promise.allSettled(some.map(async (key) => this.#repository.deleteKey(key)));
      for (const each of ended) if (each.status === 'rejected') throw each.reason;
    }
  }

  /** A writer that does not heed the lease, as after a jump of its clock, must not lose what it counts on. */
  async #assertNoBackupSince(): Promise<void> {
    const judged = new Set(this.#judgement.backups.map(({ backup }) => backup.id));
    const unknown = (await backupIds(this.#repository)).find((id) => !judged.has(id));
    if (unknown === undefined) return;
    throw new BackupProblem(
      'busy',
      `The backup ${unknown} was written to ${this.#repository.address} during the removal, which stops here. Make a new plan.`,
      { object: unknown },
    );
  }
}

function bytesOf(objects: readonly JudgedObject[], wanted: Fate): number {
  return objects.reduce((sum, { fate, size }) => (fate === wanted ? sum + size : sum), 0);
}

function talliesOf(objects: readonly JudgedObject[]): z.output<typeof tallies> {
  const of = (wanted: Fate) => ({
    count: objects.filter(({ fate }) => fate === wanted).length,
    bytes: bytesOf(objects, wanted),
  });
  return { keep: of('keep'), mark: of('mark'), wait: of('wait'), remove: of('remove') };
}

/** Neighbours with the same fate as one stretch, so that a plan stays short. */
function stretchesOf(segments: Judgement['segments']): PrunePlan['stretches'] {
  const found: PrunePlan['stretches'] = [];
  const inOrder = segments.toSorted((one, other) => (one.key < other.key ? -1 : 1));
  let before: Fate = 'keep';
  for (const { systemId, segment, fate } of inOrder) {
    const last = found.at(-1);
    if (last && before === fate && last.systemId === systemId && fate !== 'keep') {
      last.last = segment;
      last.count += 1;
    } else if (fate !== 'keep') {
      found.push({ systemId, first: segment, last: segment, fate, count: 1 });
    }
    before = fate;
  }
  return found;
}
