import { type BackupManifest, FORMAT } from '../manifest.ts';
import type { Repository } from '../repository.ts';

export async function* partsOf(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

export async function joined(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}

/** A backup of these contents, whose chunks are stored; the manifest is not. */
export async function preparedBackup(
  repository: Repository,
  id: string,
  contents: readonly Uint8Array[],
): Promise<BackupManifest> {
  const files: BackupManifest['files'] = [];
  for (const [index, content] of contents.entries()) {
    const { size, sha256, chunks } = await repository.putContent(partsOf(content));
    files.push({ path: `base/1/${index}`, mode: 0o600, size, sha256, chunks: [...chunks] });
  }
  const { size, sha256, chunks } = await repository.putContent(partsOf(Buffer.from(`manifest of ${id}`)));
  return {
    format: FORMAT,
    id,
    kind: 'base',
    reason: 'requested',
    startedAt: '2026-12-01T06:00:00.000Z',
    finishedAt: '2026-12-01T06:00:07.000Z',
    appVersion: '2.0.0',
    postgresVersion: '18.4',
    systemId: '7300000000000000001',
    timeline: 1,
    startLsn: '0/2000028',
    stopLsn: '0/3000060',
    migration: '0001_first',
    tables: { purpose: contents.length },
    directories: ['base', 'base/1', 'pg_wal'],
    files,
    postgresManifest: { size, sha256, chunks: [...chunks] },
    attached: { watermark: '2026-12-01T06:00:05.000Z', objects: 0, bytes: 0 },
    bytes: { total: 0, new: 0, stored: 0 },
  };
}
