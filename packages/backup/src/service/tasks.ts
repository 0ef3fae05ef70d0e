import { join } from 'node:path';
import type { OpenObject } from '../attached/copy.ts';
import { noteContents, storeNote } from '../drill/contents.ts';
import { runDrill, type TryApplication } from '../drill/drill.ts';
import { createBackup } from '../engine/create.ts';
import { newestVerification, recordVerification } from '../engine/verification-record.ts';
import { verifyBackup } from '../engine/verify.ts';
import { storeExport } from '../logical/stored-export.ts';
import type { BackupManifest } from '../repository/manifest.ts';
import type { RetentionPolicy } from '../retention/policy.ts';
import { prunable } from '../retention/prunable.ts';
import { applyPrune, planPrune } from '../retention/prune.ts';
import type { Task } from '../schedule/last-runs.ts';
import type { Work } from '../schedule/schedule.ts';
import type { Keeper } from './keeper.ts';
import type { BackupSettings } from './repositories.ts';

export interface TaskOptions {
  readonly settings: BackupSettings;
  readonly connectionString: string;
  readonly open: OpenObject;
  readonly application: TryApplication;
  readonly policy: RetentionPolicy;
  readonly keepers: () => readonly Keeper[];
  /** Whether a keeper needs a base backup now, whatever the time of its last one. */
  readonly baseDue: (keeper: Keeper) => BackupManifest['reason'] | undefined;
  /** Rejects with the reason when the log of the database is not received. */
  readonly untilReceiving: (signal: AbortSignal) => Promise<void>;
  /** The newest one is damaged. */
  readonly wantExport: () => void;
  readonly waitForWal: (keeper: Keeper, systemId: string, lsn: string, signal: AbortSignal) => Promise<void>;
  readonly say: (message: string) => void;
}

/** A daily run passes by a repository that got one for another reason a few hours ago. */
const RECENT_MS = 12 * 3_600_000;

/** What runs by itself, each over all repositories: one that fails keeps it from no other. */
export function tasksOf(options: TaskOptions): Readonly<Record<Task, Work>> {
  const { settings, connectionString, open, policy, say } = options;
  const over = (work: (keeper: Keeper, signal: AbortSignal) => Promise<void>): Work => {
    return async (signal) => inEach(options.keepers(), signal, work);
  };
  // What a drill compares with. A backup without it is one all the same.
  const note = async (keeper: Keeper, signal: AbortSignal): Promise<void> => {
    try {
      const contents = await noteContents(connectionString, signal);
      await options.waitForWal(keeper, contents.systemId, contents.lsn, signal);
      await storeNote(keeper.repository, contents);
    } catch (error) {
      signal.throwIfAborted();
      const words = error instanceof Error ? error.message : String(error);
      say(`Backup: what is in the database could not be noted for the next drill: ${words}`);
    }
  };
  return {
    base: over(async (keeper, signal) => {
      const reason = options.baseDue(keeper) ?? (isRecent(keeper.newest) ? undefined : 'scheduled');
      if (reason === undefined) return;
      keeper.baseTriedAt = performance.now();
      await options.untilReceiving(signal);
      const manifest = await keeper.inTurn(
        async () =>
          createBackup({
            repository: keeper.repository,
            connectionString,
            reason,
            appVersion: settings.appVersion,
            waitForWal: async (systemId, lsn) => options.waitForWal(keeper, systemId, lsn, signal),
            copyAttached: async () => keeper.copyAttached({ connectionString, open, signal }),
            signal,
          }),
        { copying: true },
      );
      keeper.baseWanted = undefined;
      await note(keeper, signal);
      say(`Backup: ${manifest.id} is complete in ${keeper.address}.`);
    }),

    export: over(async (keeper, signal) => {
      const { repository } = keeper;
      const work = async () => {
        // What of the newest one is damaged is written anew.
        const found = await newestVerification(repository);
        if (found) await repository.distrust(found.damaged);
        return storeExport({ repository, connectionString, appVersion: settings.appVersion, signal });
      };
      const { id, rows } = await keeper.inTurn(work, { copying: true });
      say(`Backup: the export ${id} with ${rows} rows is in ${repository.address}.`);
    }),

    verification: over(async (keeper, signal) => {
      const { repository, newest } = keeper;
      if (!newest) return;
      const verification = await verifyBackup(repository, newest, { signal });
      await recordVerification(repository, verification);
      const { faults } = verification;
      if (faults.length === 0) return;
      // A base backup mends the others.
      if (faults.some(({ of }) => of.startsWith('records/exports/'))) options.wantExport();
      const named = faults.slice(0, 3).map(({ object, words }) => `${object}: ${words}`);
      say(
        `Backup: ${newest.id} of ${repository.address} is damaged in ${faults.length} places (${named.join('; ')}). A new backup mends what the system still has. See: calculaud backup verify`,
      );
    }),

    drill: over(async (keeper, signal) => {
      const { repository } = keeper;
      await note(keeper, signal);
      const { verdict, problem, checks, rtoSeconds } = await runDrill({
        repository,
        target: { kind: 'noted' },
        application: options.application,
        logComplete: keeper.logAge.complete,
        directory: join(settings.workFolder, 'drill'),
        appVersion: settings.appVersion,
        signal,
      });
      if (verdict !== 'passed') {
        const faults = checks.flatMap(({ check, faults: found }) =>
          found.map((fault) => `${check}: ${fault}`),
        );
        const why = [...faults.slice(0, 3), ...(problem === null ? [] : [problem])].join('; ');
        throw new Error(
          `The drill of ${repository.address} ${verdict === 'failed' ? 'failed' : 'proved nothing'}: ${why}. See: calculaud drill --history`,
        );
      }
      say(`Backup: the drill of ${repository.address} passed; a restore takes ${rtoSeconds} s.`);
    }),

    prune: over(async (keeper, signal) => {
      await keeper.inTurn(async () => {
        signal.throwIfAborted();
        const repository = prunable(keeper.repository);
        const now = new Date();
        const plan = await planPrune(repository, policy, { now });
        const { removed } = await applyPrune(repository, plan, { now, who: 'calculaud backup (retention)' });
        const { backups, bytes } = removed;
        if (backups.length === 0) return;
        say(
          `Backup: ${backups.length} backups that need not be kept any longer were removed from ${keeper.address}, and ${Math.round(bytes / 1e6)} MB with them.`,
        );
      });
    }),
  };
}

async function inEach(
  keepers: readonly Keeper[],
  signal: AbortSignal,
  work: (keeper: Keeper, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  if (keepers.length === 0) throw new Error('No repository can be used.');
  const failures: string[] = [];
  for (const keeper of keepers) {
    try {
      await work(keeper, signal);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(`${keeper.address}: ${error instanceof Error ? error.message : String(error)}`);
    }
    // What it shows of itself may be a little old; that the work was done is not in doubt.
    await keeper.refresh().catch(() => undefined);
  }
  if (failures.length > 0) throw new Error(failures.join(' '));
}

function isRecent(newest: BackupManifest | undefined): boolean {
  if (!newest) return false;
  const age = Date.now() - Date.parse(newest.finishedAt);
  return age >= 0 && age < RECENT_MS;
}
