import { formatLsn, SEGMENT_BYTES, segmentAt } from '../../postgres/lsn.ts';
import { type BackupManifest, FORMAT } from '../../repository/manifest.ts';
import type { OpenedRepository } from '../../repository/open-repository.ts';
import { newRecordName } from '../../repository/record-name.ts';
import type { Repository } from '../../repository/repository.ts';
import type { VerificationRecord } from '../../engine/verification-record.ts';

export const SYSTEM = '7300000000000000001';
export const DAY_MS = 24 * 60 * 60 * 1000;

export interface SmallBackup {
  readonly finishedAt: Date;
  /** Number of the segment in which it starts; it stops in the next one. */
  readonly segment: number;
  readonly contents: readonly string[];
  readonly systemId?: string;
  readonly timeline?: number;
}

export function lsnOf(segment: number, offset = 0x28n): string {
  return formatLsn(BigInt(segment) * SEGMENT_BYTES + offset);
}

export function segmentName(number: number, timeline = 1): string {
  return segmentAt(timeline, BigInt(number) * SEGMENT_BYTES);
}

/** A backup of some lines of text. */
export async function storeBackup(repository: Repository, backup: SmallBackup): Promise<BackupManifest> {
  const { finishedAt, segment, contents, systemId = SYSTEM, timeline = 1 } = backup;
  const files: BackupManifest['files'] = [];
  for (const [index, text] of contents.entries()) {
    const { size, sha256, chunks } = await repository.putContent(one(text));
    files.push({ path: `base/1/${index}`, mode: 0o600, size, sha256, chunks: [...chunks] });
  }
  const { size, sha256, chunks } = await repository.putContent(one(`manifest of ${contents.join()}`));
  const manifest: BackupManifest = {
    format: FORMAT,
    id: newRecordName(finishedAt),
    kind: 'base',
    reason: 'scheduled',
    startedAt: finishedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    appVersion: '0.0.0',
    postgresVersion: '18.4',
    systemId,
    timeline,
    startLsn: lsnOf(segment),
    stopLsn: lsnOf(segment + 1),
    migration: null,
    tables: {},
    directories: [],
    files,
    postgresManifest: { size, sha256, chunks: [...chunks] },
    attached: { watermark: null, objects: 0, bytes: 0 },
    bytes: { total: 0, new: 0, stored: 0 },
  };
  await repository.putManifest(manifest);
  return manifest;
}

let verifications = 0;

export async function verified(repository: Repository, backup: string, ok: VerificationRecord['ok'] = true) {
  verifications += 1;
  const record: VerificationRecord = { backup, at: new Date().toISOString(), ok, faults: [], damaged: [] };
  await repository.putRecord('verifications', String(verifications).padStart(12, '0'), record);
}

/** A prune never reads a segment: a few bytes stand for sixteen million. */
export async function storeSegment(
  { store }: OpenedRepository,
  number: number,
  { systemId = SYSTEM, timeline = 1 }: { readonly systemId?: string; readonly timeline?: number } = {},
): Promise<string> {
  const segment = segmentName(number, timeline);
  const key = `systems/${systemId}/wal/${segment.slice(0, 8)}/${segment}`;
  await store.put(key, Buffer.from(segment));
  return key;
}

async function* one(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
