import { withClient } from '../postgres/client.ts';
import { type Restored, restoreCluster } from '../engine/restore.ts';
import { describeTarget, type Target } from '../engine/target.ts';
import { BackupProblem } from '../repository/problem.ts';
import { newRecordName } from '../repository/record-name.ts';
import type { Repository } from '../repository/repository.ts';
import {
  checkAttached,
  checkIntegrity,
  checkInvariants,
  checkReferences,
  type CheckResult,
} from './checks.ts';
import { compareContents, type ContentsNote, newestNotes } from './contents.ts';

/** What the application does on the restored database, handed in by whoever knows the application. */
export type TryApplication = (
  connectionString: string,
) => Promise<{ readonly readyMs: number; readonly looked: string; readonly faults: readonly string[] }>;

export interface DrillOptions {
  readonly repository: Repository;
  /** `noted`: the newest moment of which somebody noted what was there; without one the latest. */
  readonly target: Target | { readonly kind: 'noted' };
  readonly application: TryApplication;
  /** When the repository last had the whole log, as far as somebody knows. */
  readonly logComplete?: Date | undefined;
  /** Becomes a data folder, and is removed by the caller. */
  readonly directory: string;
  readonly appVersion: string;
  readonly signal: AbortSignal;
  readonly onProgress?: (words: string) => void;
}

export interface DrillResult {
  readonly id: string;
  readonly at: string;
  readonly repository: string;
  readonly target: string;
  readonly appVersion: string;
  /** 'could-not-verify' is no pass: something could not be looked at. */
  readonly verdict: 'passed' | 'failed' | 'could-not-verify';
  readonly backup: string | null;
  readonly reached: string | null;
  readonly lastCommit: string | null;
  readonly checks: readonly CheckResult[];
  /** What ended it before its time, in words. */
  readonly problem: string | null;
  readonly phases: {
    readonly files: number;
    readonly log: number;
    readonly recovery: number;
    readonly application: number;
    readonly checks: number;
  };
  /** Until the application answered on the restored database: how long a disaster would last, in seconds. */
  readonly rtoSeconds: number | null;
  /** What was entered so long before would be lost with the machine; null when nobody knows. */
  readonly rpoSeconds: number | null;
}

/**
 * Restores into a scratch folder, proves what came out, and keeps the result, signed, in the repository. The live system is
 * not touched: all that is read is the repository.
 */
export async function runDrill(options: DrillOptions): Promise<DrillResult> {
  const { repository, appVersion, signal, onProgress, logComplete } = options;
  const at = new Date();
  const checks: CheckResult[] = [];
  let restored: Restored | undefined;
  let target = describeTarget(LATEST);
  let problem: unknown;
  let [checksMs, readyMs] = [0, 0];
  const add = (result: CheckResult) => {
    checks.push(result);
    onProgress?.(`${result.check}: ${result.looked}`);
  };
  try {
    const found = await restoreNoted(options);
    ({ restored } = found);
    target = describeTarget(found.target);
    const begin = performance.now();
    const application = await options.application(restored.server.connectionString('app'));
    ({ readyMs } = application);
    add({ check: 'application', looked: application.looked, faults: application.faults });
    await prove(repository, found, signal, add);
    checksMs = performance.now() - begin - readyMs;
  } catch (error) {
    signal.throwIfAborted();
    problem = error;
  } finally {
    await restored?.server.stop();
  }
  const phases = restored?.phases;
  const result: DrillResult = {
    id: newRecordName(at),
    at: at.toISOString(),
    repository: repository.address,
    target,
    appVersion,
    verdict: verdictOf(checks, problem),
    backup: restored?.base.id ?? null,
    reached: restored?.reached ?? null,
    lastCommit: restored?.lastCommit ?? null,
    checks,
    problem: problem === undefined ? null : problem instanceof Error ? problem.message : 'unknown',
    phases: {
      files: seconds(phases?.filesMs),
      log: seconds(phases?.logMs),
      recovery: seconds(phases?.recoveryMs),
      application: seconds(readyMs),
      checks: seconds(checksMs),
    },
    rtoSeconds:
      phases && readyMs > 0 ? seconds(phases.filesMs + phases.logMs + phases.recoveryMs + readyMs) : null,
    rpoSeconds: logComplete ? Math.max(0, seconds(at.getTime() - logComplete.getTime())) : null,
  };
  await repository.putRecord('drills', result.id, result);
  return result;
}

const LATEST: Target = { kind: 'latest' };
/** The log of the newest one may not be there yet. */
const NOTES_TRIED = 3;

interface Found {
  readonly restored: Restored;
  readonly target: Target;
  /** Of the very moment that was restored. */
  readonly note: ContentsNote | undefined;
}

async function restoreNoted(options: DrillOptions): Promise<Found> {
  const { repository, target, directory, signal, onProgress } = options;
  const restore = async (to: Target) =>
    restoreCluster({
      repository,
      target: to,
      directory,
      signal,
      onProgress: ({ phase, done }) => done === 0 && onProgress?.(phase),
    });
  if (target.kind !== 'noted') return { restored: await restore(target), target, note: undefined };
  for (const note of await newestNotes(repository, NOTES_TRIED)) {
    const point: Target = { kind: 'point', name: note.point, lsn: note.lsn };
    try {
      return { restored: await restore(point), target: point, note };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof BackupProblem) || error.kind !== 'impossible') throw error;
    }
  }
  return { restored: await restore(LATEST), target: LATEST, note: undefined };
}

async function prove(
  repository: Repository,
  { restored, note }: Found,
  signal: AbortSignal,
  add: (result: CheckResult) => void,
): Promise<void> {
  const connectionString = restored.server.superuserConnectionString('calculaud');
  return withClient(connectionString, 'calculaud drill', async (client) => {
    for (const check of [checkIntegrity, checkReferences, checkInvariants, checkAttached(repository)]) {
      signal.throwIfAborted();
      add(await check(client));
    }
    if (!note) {
      throw new BackupProblem(
        'unavailable',
        'Nobody has noted what was in the database at that moment, so that it could not be compared. The backup service notes it with each base backup: drill without --to.',
      );
    }
    add(await compareContents(connectionString, note, signal));
  });
}

/** Lost and altered are findings; what could not be read says nothing, and is never green. */
function verdictOf(checks: readonly CheckResult[], problem: unknown): DrillResult['verdict'] {
  if (checks.some(({ faults }) => faults.length > 0)) return 'failed';
  if (problem === undefined) return 'passed';
  const found = problem instanceof BackupProblem && ['missing', 'corrupt', 'foreign'].includes(problem.kind);
  return found ? 'failed' : 'could-not-verify';
}

function seconds(ms = 0): number {
  return Math.round(ms / 100) / 10;
}
