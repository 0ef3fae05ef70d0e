import { withClient } from '../postgres/client.ts';
import { z } from 'zod';
import { type BaseBackupFile, type BaseBackupOutcome, takeBaseBackup } from '../postgres/base-backup.ts';
import type { BackupManifest, ClusterFile } from '../repository/manifest.ts';
import { FORMAT } from '../repository/manifest.ts';
import { newRecordName } from '../repository/record-name.ts';
import type { Repository, StoredContent } from '../repository/repository.ts';
import { newestVerification } from './verification-record.ts';

export interface CreateOptions {
  readonly repository: Repository;
  /** Of the role for backups: it may connect to the database, and has REPLICATION. */
  readonly connectionString: string;
  readonly reason: BackupManifest['reason'];
  readonly appVersion: string;
  /** Resolves when the log up to this position is in the repository: a backup without it starts nothing. */
  readonly waitForWal: (systemId: string, lsn: string) => Promise<void>;
  /** Brings what users attached to the repository; `until` is the time that the backup is good for. */
  readonly copyAttached?: () => Promise<{
    readonly until: Date;
    readonly objects: number;
    readonly bytes: number;
  }>;
  /** Its wall-clock limit, too. */
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: { readonly files: number; readonly bytes: number }) => void;
}

/** A base backup: every file of the cluster, cut into chunks of which the repository has most already. */
export async function createBackup(options: CreateOptions): Promise<BackupManifest> {
  const { repository, connectionString, reason, appVersion, signal, onProgress } = options;
  return repository.withLease('backup', `calculaud backup (${reason})`, async (lost) => {
    const both = AbortSignal.any([signal, lost]);
    // What the last verification found damaged is written anew, as far as the cluster still has it.
    const found = await newestVerification(repository);
    if (found && found.damaged.length > 0) await repository.distrust(found.damaged);
    const startedAt = new Date();
    const under: { readonly path: string; readonly mode: number; readonly stored: Promise<StoredContent> }[] =
      [];
    let failed: Promise<StoredContent> | undefined;
    let received = 0;
    const store = async ({ path, mode, content }: BaseBackupFile) => {
      both.throwIfAborted();
      // The next file comes while this one is still on its way: a cluster has a thousand small ones.
      const taken = await repository.takeContent(content);
      taken.stored.catch(() => {
        failed ??= taken.stored;
      });
      under.push({ path, mode, stored: taken.stored });
      received += taken.size;
      onProgress?.({ files: under.length, bytes: received });
      await failed;
      return taken;
    };
    const id = newRecordName(startedAt);
    const label = `calculaud ${id}`;
    let taken: BaseBackupOutcome;
    try {
      taken = await takeBaseBackup({ connectionString, label, store, signal: both });
    } finally {
      // Nothing is written any more when the lease ends.
      await Promise.allSettled(under.map(async ({ stored }) => stored));
    }
    const files: ClusterFile[] = [];
    const bytes = { total: 0, new: 0, stored: 0 };
    for (const { path, mode, stored } of under) {
      const { size, sha256, chunks, newBytes, storedBytes } = await stored;
      files.push({ path, mode, size, sha256, chunks: [...chunks] });
      bytes.total += size;
      bytes.new += newBytes;
      bytes.stored += storedBytes;
    }
    const about = await describe(connectionString);
    // After the stop: what the restored database can name was there before.
    const attached = await options.copyAttached?.();
    const manifestContent = await repository.putContent(one(taken.manifest));
    await options.waitForWal(taken.systemId, taken.stopLsn);
    both.throwIfAborted();
    const { size, sha256, chunks } = manifestContent;
    const manifest: BackupManifest = {
      format: FORMAT,
      id,
      kind: 'base',
      reason,
      startedAt: startedAt.toISOString(),
      finishedAt: new Date().toISOString(),
      appVersion,
      postgresVersion: taken.postgresVersion,
      systemId: taken.systemId,
      timeline: taken.timeline,
      startLsn: taken.startLsn,
      stopLsn: taken.stopLsn,
      ...about,
      directories: [...taken.directories],
      files,
      postgresManifest: { size, sha256, chunks: [...chunks] },
      attached: {
        watermark: attached?.until.toISOString() ?? null,
        objects: attached?.objects ?? 0,
        bytes: attached?.bytes ?? 0,
      },
      bytes,
    };
    await repository.putManifest(manifest);
    return manifest;
  });
}

async function* one(content: Buffer): AsyncGenerator<Buffer> {
  yield content;
}

const tableRow = z.object({ name: z.string(), rows: z.coerce.number() });

/** For people who look for the right backup. */
async function describe(
  connectionString: string,
): Promise<{ readonly migration: string | null; readonly tables: Record<string, number> }> {
  return withClient(connectionString, 'calculaud backup', async (client) => {
    const { rows } = await client.query(`/* backup.tables */
      select relname as name, greatest(reltuples, 0)::bigint as rows from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname`);
    const tables = z.array(tableRow).parse(rows);
    if (!tables.some(({ name }) => name === 'schema_migration'))
      return { migration: null, tables: asRecord(tables) };
    const { rows: newest } = await client.query('select max(name) as name from schema_migration');
    const { name } = z.object({ name: z.string().nullable() }).parse(newest[0]);
    return { migration: name, tables: asRecord(tables) };
  });
}

function asRecord(tables: readonly z.output<typeof tableRow>[]): Record<string, number> {
  return Object.fromEntries(tables.map(({ name, rows }) => [name, rows]));
}
