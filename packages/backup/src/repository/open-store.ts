import { fileURLToPath } from 'node:url';
import { openFolderStore } from './folder-store.ts';
import { BackupProblem } from './problem.ts';
import type { S3StoreOptions } from './s3-store.ts';
import type { BackupStore } from './store.ts';

/** A folder, `file:///srv/backup`, or `s3://bucket/prefix?endpoint=https://s3.example.org&region=eu-1`. */
export async function openStore(
  address: string,
  credentials: S3StoreOptions['credentials'],
  { create = true } = {},
): Promise<BackupStore> {
  if (!address.includes('://')) return openFolderStore(address, { create });
  const url = new URL(address);
  if (url.protocol === 'file:') return openFolderStore(fileURLToPath(url), { create });
  if (url.protocol !== 's3:') {
    throw new BackupProblem(
      'impossible',
      `${address} is no place for a repository: a folder or s3://bucket/prefix.`,
    );
  }
  // Two megabytes of a library that a repository in a folder does not need.
  const { openS3Store } = await import('./s3-store.ts');
  return openS3Store({
    bucket: url.hostname,
    prefix: url.pathname.replaceAll(/^\/+|\/+$/g, ''),
    endpoint: url.searchParams.get('endpoint') ?? undefined,
    region: url.searchParams.get('region') ?? undefined,
    credentials,
  });
}
