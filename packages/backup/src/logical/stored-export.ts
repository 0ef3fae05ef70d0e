import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { z } from 'zod';
import { chunkRef } from '../repository/manifest.ts';
import { newRecordName } from '../repository/record-name.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository } from '../repository/repository.ts';
import { exportDatabase } from './export.ts';

/** An export in a repository, in its collection `exports`; the content lies in chunks, as that of a backup. */
const storedExport = z.strictObject({
  takenAt: z.iso.datetime(),
  appVersion: z.string(),
  size: z.int(),
  sha256: z.string(),
  tables: z.int(),
  rows: z.int(),
  chunks: z.array(chunkRef),
});
export type StoredExport = z.output<typeof storedExport> & { readonly id: string };

export interface StoreExportOptions {
  readonly repository: Repository;
  /** Of a role that may read everything. */
  readonly connectionString: string;
  readonly appVersion: string;
  readonly signal: AbortSignal;
}

/** Exports the database into a repository. Nothing of it touches a disk on the way. */
export async function storeExport(options: StoreExportOptions): Promise<StoredExport> {
  const { repository, connectionString, appVersion, signal } = options;
  // A prune would take the chunks of it, which nothing refers to until its record is there.
  return repository.withLease('backup', 'calculaud export', async (lost) => {
    const both = AbortSignal.any([signal, lost]);
    const out = new PassThrough();
    const exporting = exportDatabase({ connectionString, appVersion, out, signal: both });
    // What it fails of ends the stream; it is looked at below.
    exporting.catch((error: unknown) => out.destroy(error instanceof Error ? error : undefined));
    const { size, sha256, chunks } = await repository.putContent(out);
    const { takenAt, tables } = await exporting;
    both.throwIfAborted();
    const id = newRecordName(new Date(takenAt));
    const record = storedExport.parse({
      takenAt,
      appVersion,
      size,
      sha256,
      tables: tables.length,
      rows: tables.reduce((sum, table) => sum + table.rows, 0),
      chunks,
    });
    await repository.putRecord('exports', id, record);
    return { id, ...record };
  });
}

/** The oldest first. One that cannot be understood rejects. */
export async function listExports(
  repository: Repository,
  options: { readonly newest?: number } = {},
): Promise<readonly StoredExport[]> {
  const records = await repository.listRecords('exports', options);
  return records.map(({ name, record }) => ({ id: name, ...storedExport.parse(record) }));
}

/** The export as it was written, for a file; rejects at its end when it is not what it was. */
export async function* readExport(
  repository: Repository,
  { id, chunks, sha256 }: StoredExport,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of repository.getContent(chunks)) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') === sha256) return;
  throw new BackupProblem('corrupt', `The export ${id} of ${repository.address} is not what it was.`, {
    object: `records/exports/${id}`,
  });
}
