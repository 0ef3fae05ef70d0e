import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { type Restored, restoreCluster } from '../engine/restore.ts';
import { describeTarget, type Target } from '../engine/target.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository } from '../repository/repository.ts';
import {
  checkAttached,
  checkIntegrity,
  checkInvariants,
  checkReferences,
  type CheckResult,
} from './checks.ts';

export interface DrillOptions {
  readonly repository: Repository;
  readonly target: Target;
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
    readonly checks: number;
  };
  /** Until the restored database answered: how long a disaster would last, in seconds. */
  readonly rtoSeconds: number | null;
}

/**
 * Restores into a scratch folder, proves what came out, and keeps the result, signed, in the repository. The live system is
 * not touched: all that is read is the repository.
 */
export async function runDrill(options: DrillOptions): Promise<DrillResult> {
  const { repository, target, directory, appVersion, signal, onProgress } = options;
  const at = new Date();
  const checks: CheckResult[] = [];
  let restored: Restored | undefined;
  let problem: unknown;
  let checksMs = 0;
  try {
    restored = await restoreCluster({
      repository,
      target,
      directory,
      signal,
      onProgress: ({ phase, done }) => done === 0 && onProgress?.(phase),
    });
    const begin = performance.now();
    await prove(repository, restored, (result) => {
      checks.push(result);
      onProgress?.(`${result.check}: ${result.looked}`);
    });
    checksMs = performance.now() - begin;
  } catch (error) {
    signal.throwIfAborted();
    problem = error;
  } finally {
    await restored?.server.stop();
  }
  const phases = restored?.phases;
  const result: DrillResult = {
    id: `${at.toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${randomBytes(4).toString('hex')}`,
    at: at.toISOString(),
    repository: repository.address,
    target: describeTarget(target),
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
      checks: seconds(checksMs),
    },
    rtoSeconds: phases ? seconds(phases.filesMs + phases.logMs + phases.recoveryMs) : null,
  };
  await repository.putRecord('drills', result.id, result);
  return result;
}

async function prove(
  repository: Repository,
  { server }: Restored,
  onResult: (result: CheckResult) => void,
): Promise<void> {
  const client = new pg.Client({ connectionString: server.superuserConnectionString('calculaud') });
  await client.connect();
  try {
    for (const check of [checkIntegrity, checkReferences, checkInvariants, checkAttached(repository)]) {
      onResult(await check(client));
    }
  } finally {
    await client.end();
  }
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
