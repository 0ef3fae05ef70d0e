import type { UnreadableManifest } from '../repository/repository.ts';
import type { Target } from './target.ts';
import type { Verification, VerifyOptions } from './verify.ts';

/** One backup, whoever made it. */
export interface BackupSummary {
  readonly id: string;
  /** A `base` is whole and shares chunks with others; pgBackRest's `diff` and `incr` need the one that they name. */
  readonly kind: 'base' | 'full' | 'diff' | 'incr';
  readonly startedAt: string;
  readonly finishedAt: string;
  /** Why it was made; null where that is not known. */
  readonly reason: string | null;
  readonly systemId: string;
  readonly timeline: number;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly postgresVersion: string;
  readonly migration: string | null;
  readonly bytes: { readonly total: number; readonly stored: number };
}

export interface CreateWishes {
  /** Whole, also where a difference to an earlier one would do. */
  readonly full: boolean;
  readonly signal: AbortSignal;
}

export interface RestoreWishes {
  readonly target: Target;
  /** A folder that is not there yet, or empty; the cluster comes into its folder `postgres`. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly onPhase?: (phase: 'files' | 'log' | 'recovery') => void;
}

/** A cluster that has proved that it reached the target. */
export interface RestoredCluster {
  readonly backup: string;
  /** In the words of the server: where and why its recovery stopped. */
  readonly reached: string;
  readonly lsn: string;
  readonly lastCommit: string | null;
  /** It runs, with no other client than ours, until it is stopped. */
  connectionString(database: string): string;
  stop(): Promise<void>;
}

/**
 * What makes backups in one place and brings them back. The native one is the default; pgBackRest is for large databases, and
 * for sites that have it already.
 */
export interface BackupEngine {
  readonly name: 'native' | 'pgbackrest';
  /** Where the backups lie, for people. */
  readonly address: string;
  /** Newest first. One that cannot be read is told as such, never left out. */
  list(): Promise<readonly (BackupSummary | UnreadableManifest)[]>;
  /** Reads all that a restore would read. What cannot be read now rejects; what is wrong is a fault. */
  verify(backup: BackupSummary, options: VerifyOptions): Promise<Verification>;
  /** Keeps what a verification found, where something depends on it: what is removed, and what is mended. */
  recordVerification?(verification: Verification): Promise<void>;
  restore(wishes: RestoreWishes): Promise<RestoredCluster>;
}

/** One that makes backups when it is asked. The native service makes them by itself, and for all repositories at once. */
export interface CreatingEngine extends BackupEngine {
  create(wishes: CreateWishes): Promise<BackupSummary>;
}
