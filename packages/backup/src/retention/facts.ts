import type { TimelineStep } from '../postgres/lsn.ts';

/** A backup, as far as the choice of what stays depends on it. */
export interface BackupFacts {
  readonly id: string;
  readonly finishedAt: Date;
  readonly systemId: string;
  readonly timeline: number;
  readonly startLsn: string;
  readonly stopLsn: string;
  /** It was read completely, and nothing was wrong. */
  readonly verified: boolean;
  /** Under legal hold. */
  readonly held: boolean;
}

/** A segment of the log in a repository, whole or partial. */
export interface SegmentFacts {
  readonly systemId: string;
  readonly segment: string;
  /** When the store got it: what is in it is not newer. */
  readonly modified: Date;
}

/** How a timeline came to be, as its history file says it. */
export interface Lineage {
  readonly systemId: string;
  readonly timeline: number;
  readonly steps: readonly TimelineStep[];
}
