/** What the gates judge by: plain figures, whoever observed them. `old` serves now, `new` is to take over. */
export type Side = 'old' | 'new';

/** What a gate was asked to look at. Null: this gate does not look at it. Empty: it does, and nothing came yet. */
export interface Evidence {
  readonly replicas: Replicas | null;
  readonly sideBySide: readonly Pair[] | null;
  readonly memory: readonly MemoryReading[] | null;
  readonly journeys: readonly JourneyRun[] | null;
  readonly gateway: readonly GatewayReading[] | null;
}

/** The containers of the new version. */
export interface Replicas {
  readonly wanted: number;
  readonly ready: number;
  /** How often one of them ended by itself, was killed for its memory, or failed its health check. */
  readonly restarts: number;
  /** Since the new version was started. */
  readonly waitedMs: number;
  readonly limitMs: number;
  /** What the last one that is not ready said, such as the answer of its health check. */
  readonly lastWords?: string;
}

/** The same request, sent to both sides one right after the other, the order taking turns. */
export interface Pair {
  /** What was asked, such as `list`. */
  readonly kind: string;
  /** Milliseconds of any clock; only differences count. */
  readonly at: number;
  readonly old: Answer;
  readonly new: Answer;
}

export interface Answer {
  readonly ok: boolean;
  readonly ms: number;
  /** What was wrong, such as `503` or `reset`. */
  readonly problem?: string;
}

/** Of one process. */
export interface MemoryReading {
  readonly side: Side;
  /** Which of several replicas. */
  readonly instance: string;
  readonly at: number;
  /** How many requests it has answered since its start. */
  readonly requests: number;
  /** What is really in use, read right after the garbage was collected. */
  readonly liveBytes: number;
}

export interface JourneyRun {
  readonly side: Side;
  readonly at: number;
  /** Null: every step went as it should. */
  readonly failure: { readonly step: string; readonly words: string } | null;
}

/** The gateway's own counts of real traffic, since it started; null: it knows no such backend. */
export interface GatewayReading {
  readonly at: number;
  readonly old: BackendCounts | null;
  readonly new: BackendCounts | null;
}

export interface BackendCounts {
  /** Answers of any status. */
  readonly answers: number;
  readonly answers5xx: number;
  /** The server broke off, or answered what is no HTTP. */
  readonly responseErrors: number;
  readonly connectionErrors: number;
  /** Requests that wait for a server right now. */
  readonly queued: number;
  /** From the request to the first byte of the answer, the mean of the last thousand. */
  readonly responseMs: number;
}
