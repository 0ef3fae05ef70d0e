import { createHash } from 'node:crypto';
import { statfs } from 'node:fs/promises';
import { z } from 'zod';
import { copyAttached, type OpenObject } from '../attached/copy.ts';
import { verificationRecord } from '../engine/verification-record.ts';
import { listExports } from '../logical/stored-export.ts';
import { parseLsn } from '../postgres/lsn.ts';
import type { BackupManifest } from '../repository/manifest.ts';
import type { OpenedRepository } from '../repository/open-repository.ts';
import { parseStoreAddress } from '../repository/open-store.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { AttachedIndex } from '../repository/repository.ts';
import type { RepositoryAges } from '../schedule/ages.ts';
import { LogAge } from './log-age.ts';
import type { RepositoryStatus } from './status.ts';

/** So many of the last drills and verifications are looked at for the last good one. */
const LOOK_BACK = 30;
const MEND_EVERY_MS = 24 * 3_600_000;

const drill = z.object({
  at: z.string(),
  verdict: z.enum(['passed', 'failed', 'could-not-verify']),
  problem: z.string().nullable().default(null),
  rtoSeconds: z.number().nullable().default(null),
  rpoSeconds: z.number().nullable().default(null),
});

type Known = Pick<
  RepositoryAges,
  'base' | 'export' | 'verification' | 'drill' | 'newestDrill' | 'gapsSinceBase' | 'corrupt'
> & { readonly newestBackup?: RepositoryStatus['newestBackup'] };

/** One repository that can be used, what is known of it, and what is to be done there. */
export class Keeper {
  readonly repository: OpenedRepository;
  readonly watchedSince: Date;
  readonly logAge: LogAge;
  /** The newest backup of this database that can be read. */
  newest: BackupManifest | undefined;
  /** A newer one of another database. */
  foreign: BackupManifest | undefined;
  /** Which database is backed up, once the server has told. */
  systemId: string | undefined;
  /** Why one is due before its time. */
  baseWanted: BackupManifest['reason'] | undefined;
  /** When one was begun last, by a clock that nobody sets. */
  baseTriedAt = Number.NEGATIVE_INFINITY;
  /** In words; null while it can be used. */
  trouble: string | null = null;
  attachedUntil: Date | undefined;
  faults: readonly string[] = [];
  filesNotCopied: number | undefined;
  freeBytes: number | undefined;
  /** When somebody last came to the end of a verification, whatever it found. */
  verifiedAt: Date | undefined;
  known: Known = { gapsSinceBase: 0, corrupt: [] };
  #index: AttachedIndex | undefined;
  /** Names of all records and backups, as they were read last. */
  #seen = '';
  #turn: Promise<unknown> = Promise.resolve();
  #copying = false;

  /** @param before what was known of it when the service ran last. */
  constructor(repository: OpenedRepository, before: RepositoryAges | undefined) {
    this.repository = repository;
    this.watchedSince = before?.watchedSince ?? new Date();
    this.logAge = new LogAge(before?.logComplete);
  }

  get address(): string {
    return this.repository.address;
  }

  /**
   * One after the other: what takes the repository's lease would find it busy with ourselves. `copying`: nothing is removed
   * meanwhile, so that files may be copied beside it.
   */
  async inTurn<T>(work: () => Promise<T>, { copying = false } = {}): Promise<T> {
    const run = this.#turn.then(async () => {
      this.#copying = copying;
      return work().finally(() => {
        this.#copying = false;
      });
    });
    this.#turn = run.catch(() => undefined);
    return run;
  }

  /** Reads what there is: others write to it, too. What is damaged of it is told as such, and hides nothing else. */
  async refresh(): Promise<void> {
    const { repository } = this;
    const damaged: string[] = [];
    const unlessDamaged = async <T>(work: () => Promise<T>, otherwise: T): Promise<T> => {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof BackupProblem) || error.kind !== 'corrupt') throw error;
        damaged.push(error.object ?? error.message);
        return otherwise;
      }
    };
    const records = async (collection: 'drills' | 'verifications') =>
      unlessDamaged(async () => repository.listRecords(collection, { newest: LOOK_BACK }), []);
    const drills = (await records('drills')).flatMap(({ record }) => drill.safeParse(record).data ?? []);
    const verifications = (await records('verifications')).flatMap(
      ({ record }) => verificationRecord.safeParse(record).data ?? [],
    );
    const exports = await unlessDamaged(async () => listExports(repository, { newest: 1 }), []);
    // Of two databases that share a repository each would find the other's backup, and make another one, for ever.
    const any = await newestReadable(repository, damaged, undefined);
    const { systemId } = this;
    const newest =
      systemId === undefined || any?.systemId === systemId
        ? any
        : await newestReadable(repository, [], systemId);
    this.foreign = any === newest ? undefined : any;
    const gaps = newest ? await unlessDamaged(async () => repository.listGaps(newest.systemId), []) : [];
    this.freeBytes = await freeBytesOf(this.address);
    this.newest = newest;
    const newestDrill = drills.at(-1);
    this.known = {
      base: dateOf(newest?.finishedAt),
      export: dateOf(exports.at(-1)?.takenAt),
      verification: dateOf(verifications.findLast(({ ok }) => ok === true)?.at),
      drill: dateOf(drills.findLast(({ verdict }) => verdict === 'passed')?.at),
      newestDrill: newestDrill && {
        verdict: newestDrill.verdict,
        words: newestDrill.problem ?? 'See calculaud drill --history.',
        rtoMs: inMs(newestDrill.rtoSeconds),
        rpoMs: inMs(newestDrill.rpoSeconds),
      },
      // What an earlier timeline lacks is not on the way from here.
      gapsSinceBase: newest
        ? gaps.filter(
            ({ timeline, toLsn }) =>
              timeline >= newest.timeline && parseLsn(toLsn) > parseLsn(newest.startLsn),
          ).length
        : 0,
      corrupt: [...damaged, ...(verifications.at(-1)?.faults.map(({ object }) => object) ?? [])],
      newestBackup: newest && {
        id: newest.id,
        totalBytes: newest.bytes.total,
        newBytes: newest.bytes.stored,
        seconds: (Date.parse(newest.finishedAt) - Date.parse(newest.startedAt)) / 1000,
      },
    };
    this.verifiedAt = dateOf(verifications.at(-1)?.at);
    // Copied once more at the next turn, when the live store still has them.
    for (const { of } of verifications.at(-1)?.faults ?? []) this.#index?.forget(of);
  }

  /** Reads what there is when somebody else has written to it. */
  async refreshWhenChanged(): Promise<void> {
    const names = createHash('sha256');
    for (const prefix of ['records/', 'backups/'])
      for await (const { key } of this.repository.store.list(prefix)) names.update(`${key}\n`);
    const digest = names.digest('hex');
    if (digest === this.#seen) return;
    await this.refresh();
    this.#seen = digest;
  }

  /** What was found damaged and has not been backed up anew since: that mends what the system still has. */
  get wantsMending(): boolean {
    const { newest, verifiedAt, known } = this;
    if (known.corrupt.length === 0 || !newest || !verifiedAt) return false;
    if (verifiedAt < new Date(newest.finishedAt)) return false;
    // It did not help.
    return newest.reason !== 'after-damage' || Date.now() - Date.parse(newest.finishedAt) > MEND_EVERY_MS;
  }

  /** Whether what was found damaged may have been mended since, so that it is worth another look. */
  get mayBeMended(): boolean {
    const { newest, verifiedAt, known } = this;
    if (known.corrupt.length === 0 || !newest || !verifiedAt) return false;
    return verifiedAt < new Date(newest.finishedAt);
  }

  /** Brings what users attached to the repository, and what was damaged of it. */
  async copyAttached(options: {
    readonly connectionString: string;
    readonly open: OpenObject;
    readonly signal: AbortSignal;
  }): Promise<{ readonly until: Date; readonly objects: number; readonly bytes: number }> {
    const { repository } = this;
    const index = (this.#index ??= await repository.attachedIndex());
    try {
      const { until, bytes, faults } = await copyAttached({
        ...options,
        repository,
        index,
        // A base backup of ours holds the lease already, and may do so for hours.
        exclusively: async (work) =>
          this.#copying
            ? work(options.signal)
            : this.inTurn(async () => repository.withLease('backup', 'calculaud backup (files)', work)),
      });
      this.attachedUntil = until;
      this.filesNotCopied = faults.length;
      this.faults = faults.map(({ filename, key, words }) => `${filename} (${key}) ${words}`);
      return { until, objects: index.count(), bytes };
    } catch (error) {
      // Whoever holds it will be done some time; what is to be copied is looked for anew then.
      if (!(error instanceof BackupProblem && error.kind === 'busy')) this.#index = undefined;
      throw error;
    }
  }
}

async function newestReadable(
  repository: OpenedRepository,
  damaged: string[],
  systemId: string | undefined,
): Promise<BackupManifest | undefined> {
  const ids: string[] = [];
  for await (const { key } of repository.store.list('backups/')) ids.push(key.slice('backups/'.length));
  for (const id of ids.toSorted().toReversed()) {
    const manifest = await repository.getManifest(id).catch((error: unknown) => {
      if (!(error instanceof BackupProblem) || error.kind !== 'corrupt') throw error;
      damaged.push(error.object ?? `backups/${id}`);
      return undefined;
    });
    if (manifest && (systemId === undefined || manifest.systemId === systemId)) return manifest;
  }
  return undefined;
}

async function freeBytesOf(address: string): Promise<number | undefined> {
  const place = parseStoreAddress(address);
  if (place.kind !== 'folder') return undefined;
  const { bavail, bsize } = await statfs(place.path);
  return bavail * bsize;
}

function dateOf(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text);
}

function inMs(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000;
}
