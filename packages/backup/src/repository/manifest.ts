import { z } from 'zod';

/** The version that is written. Readers refuse any other one. */
export const FORMAT = 1;

export const lsnText = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
export const systemIdText = z.string().regex(/^\d{1,20}$/);
const name = z.string().regex(/^[0-9a-f]{64}$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(0);

/** A piece of content: at most 1 MiB before compression, under a keyed name of its bytes. */
export const chunkRef = z.strictObject({ name, size: count });
export type ChunkRef = z.output<typeof chunkRef>;

/** A file of the cluster; `path` is relative to the data directory. */
export const clusterFile = z.strictObject({
  path: z.string().min(1),
  mode: z.int(),
  size: count,
  sha256,
  chunks: z.array(chunkRef),
});
export type ClusterFile = z.output<typeof clusterFile>;

/** A file that users attached: its key in the live object store, and where its content lies in the repository. */
export const attachedObject = z.strictObject({
  key: z.string().min(1),
  size: count,
  sha256,
  chunks: z.array(chunkRef),
});
export type AttachedObject = z.output<typeof attachedObject>;

/** What one backup is. Written last; what has no manifest is no backup. */
export const backupManifest = z.strictObject({
  format: z.literal(FORMAT),
  id: z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
  kind: z.literal('base'),
  /** Why it was made. */
  reason: z.enum([
    'scheduled',
    'requested',
    'before-restore',
    'before-migration',
    'after-gap',
    'after-damage',
  ]),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  appVersion: z.string(),
  postgresVersion: z.string(),
  systemId: systemIdText,
  timeline: z.int().min(1),
  startLsn: lsnText,
  stopLsn: lsnText,
  /** Newest migration of the schema at the stop; null for a database without one. */
  migration: z.string().nullable(),
  /** Rows of each table at the stop, as the planner knows them; for people. */
  tables: z.record(z.string(), count),
  directories: z.array(z.string()),
  files: z.array(clusterFile),
  /** PostgreSQL's own backup_manifest, as chunks. */
  postgresManifest: z.strictObject({ size: count, sha256, chunks: z.array(chunkRef) }),
  /** All objects that rows of the database at the stop can refer to were in the repository up to here. */
  attached: z.strictObject({ watermark: z.iso.datetime().nullable(), objects: count, bytes: count }),
  bytes: z.strictObject({ total: count, new: count, stored: count }),
});
export type BackupManifest = z.output<typeof backupManifest>;
