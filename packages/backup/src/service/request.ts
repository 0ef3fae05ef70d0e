import { setTimeout as pause } from 'node:timers/promises';
import { copyAttached, type CopyOutcome, type OpenObject } from '../attached/copy.ts';
import { noteContents, storeNote } from '../drill/contents.ts';
import { createBackup } from '../engine/create.ts';
import { startShipping } from '../engine/ship.ts';
import { parseLsn, placeOf, segmentAt } from '../postgres/lsn.ts';
import { startWalReceiver } from '../postgres/wal-receiver.ts';
import type { BackupManifest } from '../repository/manifest.ts';
import type { OpenedRepository } from '../repository/open-repository.ts';
import { storeAddress } from '../repository/open-store.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { BackupSettings } from './repositories.ts';
import { SLOT, spoolOf } from './run.ts';
import { readStatus } from './status.ts';

export interface RequestOptions {
  readonly settings: BackupSettings;
  readonly repositories: readonly OpenedRepository[];
  readonly connectionString: string;
  readonly open: OpenObject;
  readonly reason: BackupManifest['reason'];
  readonly signal: AbortSignal;
  readonly onProgress: (repository: string, bytes: number) => void;
}

export interface Requested {
  readonly repository: string;
  readonly manifest: BackupManifest | undefined;
  readonly faults: CopyOutcome['faults'];
  /** Why there is no backup in this repository. */
  readonly problem: Error | undefined;
}

/** A status is written every two seconds. */
const FRESH_MS = 15_000;
const POLL_MS = 500;
const BUSY_MS = 60_000;

/**
 * A backup that somebody asked for, in every repository. The service that receives the log goes on beside it; where none
 * runs, the log is received for as long as this takes.
 */
export async function requestBackup(options: RequestOptions): Promise<readonly Requested[]> {
  const { settings, repositories, connectionString, signal } = options;
  const status = await readStatus(settings.workFolder);
  const served =
    status !== undefined && status.receiving && Date.now() - new Date(status.at).getTime() < FRESH_MS;
  if (served) {
    return each(options, async (repository, systemId, lsn) => appears(repository, systemId, lsn, signal));
  }
  const spool = spoolOf(settings);
  let failure: string | undefined;
  const usable = new Set(repositories.map(({ address }) => address));
  const absent = settings.repositories.map(storeAddress).filter((address) => !usable.has(address));
  const shipping = startShipping({
    spool,
    repositories,
    absent: () => absent,
    limitBytes: settings.spoolLimitBytes,
    onEvent: () => undefined,
  });
  const receiver = startWalReceiver({
    connectionString,
    slot: SLOT,
    spool,
    makeRoom: async () => shipping.makeRoom(),
    onEvent: (event) => {
      if (event.kind === 'disconnected') failure = event.reason;
      if (event.kind === 'gap') for (const repository of repositories) void repository.putGap(event.gap);
      shipping.wake();
    },
  });
  try {
    return await each(options, async (repository, systemId, lsn) => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(60_000)]);
      await shipping.waitFor(repository.address, systemId, lsn, limit).catch((error: unknown) => {
        signal.throwIfAborted();
        throw new BackupProblem(
          'unavailable',
          `The log up to ${lsn} did not come within a minute${failure ? `: ${failure}` : ''}.`,
          {
            cause: error,
          },
        );
      });
    });
  } finally {
    await receiver.stop();
    await shipping.stop();
  }
}

async function each(
  { settings, repositories, connectionString, open, reason, signal, onProgress }: RequestOptions,
  waitFor: (repository: OpenedRepository, systemId: string, lsn: string) => Promise<void>,
): Promise<readonly Requested[]> {
  const results: Requested[] = [];
  for (const repository of repositories) {
    let faults: CopyOutcome['faults'] = [];
    try {
      const manifest = await whenFree(signal, async () =>
        createBackup({
          repository,
          connectionString,
          reason,
          appVersion: settings.appVersion,
          waitForWal: async (systemId, lsn) => waitFor(repository, systemId, lsn),
          copyAttached: async () => {
            const index = await repository.attachedIndex();
            const outcome = await copyAttached({ repository, connectionString, open, signal, index });
            ({ faults } = outcome);
            return { until: outcome.until, objects: index.count(), bytes: outcome.bytes };
          },
          signal,
          onProgress: ({ bytes }) => onProgress(repository.address, bytes),
        }),
      );
      // For the next drill. A backup without it is one all the same.
      await note(repository, connectionString, signal, waitFor).catch(() => signal.throwIfAborted());
      results.push({ repository: repository.address, manifest, faults, problem: undefined });
    } catch (error) {
      signal.throwIfAborted();
      const problem = error instanceof Error ? error : new Error(String(error));
      results.push({ repository: repository.address, manifest: undefined, faults, problem });
    }
  }
  return results;
}

async function note(
  repository: OpenedRepository,
  connectionString: string,
  signal: AbortSignal,
  waitFor: (repository: OpenedRepository, systemId: string, lsn: string) => Promise<void>,
): Promise<void> {
  const contents = await noteContents(connectionString, signal);
  await waitFor(repository, contents.systemId, contents.lsn);
  await storeNote(repository, contents);
}

/** The service copies files and exports there now and then: that is over soon. */
async function whenFree<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (const until = performance.now() + BUSY_MS; ; await pause(POLL_MS, undefined, { signal })) {
    try {
      return await work();
    } catch (error) {
      const busy = error instanceof BackupProblem && error.kind === 'busy';
      if (!busy || performance.now() > until) throw error;
    }
  }
}

/** The service brings it within seconds. */
async function appears(
  repository: OpenedRepository,
  systemId: string,
  lsn: string,
  signal: AbortSignal,
): Promise<void> {
  const wanted = parseLsn(lsn);
  const limit = AbortSignal.any([signal, AbortSignal.timeout(60_000)]);
  for (;;) {
    for (const { segment, partial } of await repository.listSegments(systemId)) {
      const place = placeOf(segment);
      // On whatever timeline: the position alone tells that the log of the backup is complete.
      if (!place || segmentAt(place.timeline, wanted - 1n) !== segment) continue;
      if (!partial) return;
      const found = await repository.getSegment({ systemId, segment });
      if (found && place.start + BigInt(found.content.length) >= wanted) return;
    }
    if (limit.aborted) {
      signal.throwIfAborted();
      throw new BackupProblem(
        'unavailable',
        `The backup service did not bring the log up to ${lsn} within a minute. Look at calculaud backup list and at its log.`,
      );
    }
    await pause(POLL_MS);
  }
}
