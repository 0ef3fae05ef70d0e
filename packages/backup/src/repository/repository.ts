import type { AttachedObject, BackupManifest, ChunkRef } from './manifest.ts';

/** Content that was read to its end, and is still on its way. */
export interface TakenContent {
  readonly size: number;
  /** SHA-256 of the content, in hexadecimal. */
  readonly sha256: string;
  /** Resolves when all of it is in the store. */
  readonly stored: Promise<StoredContent>;
}

/** What `putContent` found out while it wrote. */
export interface StoredContent {
  readonly size: number;
  /** SHA-256 of the content, in hexadecimal. */
  readonly sha256: string;
  readonly chunks: readonly ChunkRef[];
  /** Bytes of content in chunks that were new, and what these take in the store. */
  readonly newBytes: number;
  readonly storedBytes: number;
}

export interface WalSegmentRef {
  readonly systemId: string;
  /** 24 hexadecimal digits, as PostgreSQL names it: timeline, log, segment. */
  readonly segment: string;
}

/** One repository, opened with its keys: everything that goes in is compressed, encrypted, and under keyed names. */
export interface Repository {
  readonly id: string;
  readonly address: string;

  /** Cuts into chunks and stores those that are new. At most a few chunks are in memory at a time. */
  putContent(content: AsyncIterable<Uint8Array>): Promise<StoredContent>;
  /** These chunks, named by their keys, are written anew when content has them again: what is there is damaged. */
  distrust(keys: readonly string[]): Promise<void>;
  /** The same for many contents after each other: resolves when the next one may begin. */
  takeContent(content: AsyncIterable<Uint8Array>): Promise<TakenContent>;
  /** The content again; rejects with 'missing' or 'corrupt', naming the chunk, as soon as it meets it. */
  getContent(chunks: readonly ChunkRef[]): AsyncIterable<Buffer>;

  /** A whole segment. Stored once: a second one under the same name must have the same content, else 'corrupt'. */
  putSegment(ref: WalSegmentRef, content: Uint8Array): Promise<void>;
  /** The segment that is being written, up to `bytes`; replaces the one before. */
  putPartialSegment(ref: WalSegmentRef, content: Uint8Array): Promise<void>;
  /** Whole or partial (then shorter than 16 MiB). */
  getSegment(
    ref: WalSegmentRef,
  ): Promise<{ readonly content: Buffer; readonly partial: boolean } | undefined>;
  listSegments(
    systemId: string,
  ): Promise<readonly { readonly segment: string; readonly partial: boolean; readonly modified: Date }[]>;
  deleteSegment(ref: WalSegmentRef): Promise<void>;
  putTimelineHistory(systemId: string, timeline: number, content: Uint8Array): Promise<void>;
  getTimelineHistory(systemId: string, timeline: number): Promise<Buffer | undefined>;
  /** `since`: when we first heard of it. */
  listTimelines(systemId: string): Promise<readonly { readonly timeline: number; readonly since: Date }[]>;
  /** A stretch of the log that nobody has: a restore across it is refused. */
  putGap(gap: WalGap): Promise<void>;
  listGaps(systemId: string): Promise<readonly WalGap[]>;

  /** Checks that every chunk it names is there, then writes it, signed. */
  putManifest(manifest: BackupManifest): Promise<void>;
  /** Newest first. One that cannot be read is told as such, never left out. */
  listManifests(): Promise<readonly (BackupManifest | UnreadableManifest)[]>;
  getManifest(id: string): Promise<BackupManifest | undefined>;

  putAttached(object: AttachedObject): Promise<void>;
  getAttached(key: string): Promise<AttachedObject | undefined>;
  listAttached(): AsyncIterable<AttachedObject>;
  /** Which attached objects are there, by a listing of their names alone. */
  attachedIndex(): Promise<AttachedIndex>;
  deleteAttached(key: string): Promise<void>;

  /** Small signed records, such as the results of drills: append-only, in the order of their names; `newest`: only so many of the last. */
  putRecord(collection: RecordCollection, name: string, record: unknown): Promise<void>;
  listRecords(
    collection: RecordCollection,
    options?: { readonly newest?: number },
  ): Promise<readonly { readonly name: string; readonly record: unknown }[]>;

  /** Runs `work` while nobody else does the same; rejects with 'busy' and says who. The lease is renewed meanwhile. */
  withLease<T>(name: 'backup' | 'prune', who: string, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export type RecordCollection = 'drills' | 'verifications' | 'exports' | 'holds' | 'notes';

/** Of one moment; whoever copies keeps it up to date. */
export interface AttachedIndex {
  has(key: string): boolean;
  add(key: string): void;
  /** It is to be copied once more. */
  forget(key: string): void;
  count(): number;
}

export interface WalGap {
  readonly systemId: string;
  readonly timeline: number;
  readonly fromLsn: string;
  readonly toLsn: string;
  readonly noticedAt: string;
  readonly reason: string;
}

export interface UnreadableManifest {
  readonly id: string;
  readonly unreadable: string;
}
