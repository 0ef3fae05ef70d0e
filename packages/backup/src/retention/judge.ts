import type { StoredObject } from '../repository/store.ts';
import { ownLog, segmentNeeded } from './log-window.ts';
import type { RetentionPolicy } from './policy.ts';
import type { PrunableRepository, Tombstone } from './prunable.ts';
import { type BackupChoice, selectExports, selectKept } from './select.ts';
import { referredChunks, type StoredExport, type StoredSegment, survey } from './survey.ts';

/** `mark`: needless since now; `wait`: marked, and not for long enough; `remove`: marked for long enough. */
export type Fate = 'keep' | 'mark' | 'wait' | 'remove';

export interface JudgedBackup extends BackupChoice {
  readonly key: string;
  readonly fate: Fate;
  readonly markedAt: Date | undefined;
}

export interface JudgedObject {
  readonly key: string;
  readonly size: number;
  readonly fate: Fate;
}

export interface JudgedExport extends StoredExport {
  readonly fate: Fate;
}

export interface Judgement {
  readonly backups: readonly JudgedBackup[];
  readonly exports: readonly JudgedExport[];
  readonly segments: readonly (JudgedObject & StoredSegment)[];
  readonly chunks: readonly JudgedObject[];
  readonly tombstones: readonly Tombstone[];
  /** Why nothing may be removed, in words. */
  readonly blocked: readonly string[];
}

interface JudgeOptions {
  readonly policy: RetentionPolicy;
  readonly now: Date;
  /** What was marked until then has waited for long enough. */
  readonly sweepBefore: Date;
  /** Only these backups may go, when it is given. */
  readonly confirmed?: ReadonlySet<string>;
  readonly signal?: AbortSignal;
}

const PARTIAL = '.partial';
const CHUNK_KEY = /^chunks\/([0-9a-f]{2})\/(\1[0-9a-f]{62})$/;

/** Looks at everything in the repository and says of each object whether somebody needs it. Changes nothing. */
export async function judge(
  repository: PrunableRepository,
  { policy, now, sweepBefore, confirmed, signal }: JudgeOptions,
): Promise<Judgement> {
  const found = await survey(repository, signal);
  const marks = marksOf(found.tombstones, now);
  const fateOf = (key: string, need: 'living' | 'leaving' | 'nobody'): Fate => {
    if (need === 'living' || found.blocked.length > 0) return 'keep';
    const marked = marks.get(key);
    if (!marked) return 'mark';
    // What a backup that is still there refers to goes after it.
    return marked > sweepBefore || need === 'leaving' ? 'wait' : 'remove';
  };

  const { backups: choices, log, freeSystems } = selectKept({ ...found, policy, now });
  const backups = choices.map((choice): JudgedBackup => {
    const key = `backups/${choice.backup.id}`;
    const spared = !choice.keep && confirmed !== undefined && !confirmed.has(choice.backup.id);
    const fate = fateOf(key, choice.keep || spared ? 'living' : 'nobody');
    const reasons = spared ? ['Its removal is not in the plan that was confirmed.'] : choice.reasons;
    return { ...choice, reasons, key, fate, markedAt: marks.get(key) };
  });
  const living = backups.filter(({ fate }) => fate === 'keep').map(({ backup }) => backup);
  const leaving = backups
    .filter(({ fate }) => fate === 'mark' || fate === 'wait')
    .map(({ backup }) => backup);

  const keptExports = selectExports(found.exports, { policy, now });
  const exports = found.exports.map((each): JudgedExport => {
    return { ...each, fate: fateOf(each.key, keptExports.has(each) ? 'living' : 'nobody') };
  });

  const livingLog = [...log, ...living.map(ownLog)];
  const leavingLog = leaving.map(ownLog);
  const keys = new Set(found.segments.map(({ key }) => key));
  const segments = found.segments.map((segment) => {
    // Left over where the writer may not delete: everybody reads the whole one.
    const superseded = segment.key.endsWith(PARTIAL) && keys.has(segment.key.slice(0, -PARTIAL.length));
    const needed = !freeSystems.has(segment.systemId) || segmentNeeded(segment, livingLog);
    const leaves = segmentNeeded(segment, leavingLog);
    const need = superseded ? 'nobody' : needed ? 'living' : leaves ? 'leaving' : 'nobody';
    return { ...segment, fate: fateOf(segment.key, need) };
  });

  const chunks: JudgedObject[] = [];
  if (found.blocked.length === 0) {
    const ids = (some: typeof living) => some.map(({ id }) => id);
    const livingChunks = await referredChunks(repository, ids(living), signal);
    const leavingChunks = await referredChunks(repository, ids(leaving), signal);
    for (const { fate, chunks: names } of exports) {
      const those = fate === 'keep' ? livingChunks : fate === 'remove' ? undefined : leavingChunks;
      for (const name of names) those?.add(name);
    }
    for await (const { key, size } of chunksIn(repository)) {
      const name = key.slice(key.lastIndexOf('/') + 1);
      const needed = livingChunks.has(name) || found.attachedChunks.has(name);
      const need = needed ? 'living' : leavingChunks.has(name) ? 'leaving' : 'nobody';
      chunks.push({ key, size, fate: fateOf(key, need) });
    }
  }
  return { backups, exports, segments, chunks, tombstones: found.tombstones, blocked: found.blocked };
}

/** What does not look like one of our chunks is nothing that may be removed. */
async function* chunksIn(repository: PrunableRepository): AsyncGenerator<StoredObject> {
  for await (const object of repository.listKeys('chunks/')) if (CHUNK_KEY.test(object.key)) yield object;
}

/** Since when each object waits. A mark from the future was made by a clock that was wrong: it begins now. */
function marksOf(tombstones: readonly Tombstone[], now: Date): ReadonlyMap<string, Date> {
  const marks = new Map<string, Date>();
  for (const { markedAt, keys } of tombstones) {
    const since = new Date(Math.min(Date.parse(markedAt), now.getTime()));
    for (const key of keys) {
      const before = marks.get(key);
      if (!before || before < since) marks.set(key, since);
    }
  }
  return marks;
}
