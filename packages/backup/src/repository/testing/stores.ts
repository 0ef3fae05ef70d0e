import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startS3 } from '@calculaud/testing/s3';
import { s3Missing } from '@calculaud/testing/s3-binary';
import { openStore } from '../open-store.ts';
import type { BackupStore } from '../store.ts';

export interface TestStores {
  /** An empty one each time. */
  open(): Promise<BackupStore>;
  remove(): Promise<void>;
}

export const S3_CREDENTIALS = { accessKeyId: 'test-access-key', secretAccessKey: 'test-secret-key' };

export async function folderStores(): Promise<TestStores> {
  const folder = await mkdtemp(join(tmpdir(), 'calculaud-store-'));
  return {
    open: async () => openStore(`file://${join(folder, randomBytes(4).toString('hex'))}`),
    remove: async () => rm(folder, { recursive: true, force: true }),
  };
}

export async function s3Stores(): Promise<TestStores> {
  const s3 = await startS3();
  return {
    open: async () => openStore(addressIn(s3.environment, randomBytes(4).toString('hex')), S3_CREDENTIALS),
    remove: async () => s3.remove(),
  };
}

/** The address of a repository in the bucket of a test server. */
export function addressIn(environment: Readonly<Record<string, string>>, prefix: string): string {
  return `s3://${environment['S3_BUCKET_NAME']}/${prefix}?endpoint=${environment['S3_ENDPOINT_URL']}`;
}

/** Both kinds, or the folder alone where no S3 server was built; then it says so. */
export function kindsOfStores(): readonly (readonly [string, () => Promise<TestStores>])[] {
  const missing = s3Missing();
  if (missing !== undefined) {
    if (process.env['CI']) throw new Error(missing);
    process.stderr.write(`${missing}\n`);
    return [['a folder', folderStores]];
  }
  return [
    ['a folder', folderStores],
    ['a bucket', s3Stores],
  ];
}

/** As a store that is damaged has it: one bit of one byte is another one. */
export async function flip(store: BackupStore, key: string, at: number): Promise<void> {
  const bytes = await store.get(key);
  if (bytes === undefined) throw new Error(`there is no ${key}`);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 0x01;
  await store.put(key, bytes);
}

export async function keysOf(store: BackupStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys.toSorted();
}
