import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { BackupProblem } from './problem.ts';
import type { BackupStore } from './store.ts';

export interface S3StoreOptions {
  readonly bucket: string;
  /** Without slashes around it; empty: the bucket is the repository's alone. */
  readonly prefix: string;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** Left out: the usual AWS places are searched. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
}

/** An object is some MiB: a store that does not take it in this time is told to be dead. */
const TIMEOUT_MS = 60_000;

/** A repository in a bucket of an S3-compatible store. */
export async function openS3Store(options: S3StoreOptions): Promise<BackupStore> {
  const { bucket, prefix, endpoint, region, credentials } = options;
  const base = prefix === '' ? '' : `${prefix}/`;
  const address = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`;
  const client = new S3Client({
    region: region ?? 'us-east-1',
    ...(endpoint && { endpoint, forcePathStyle: true }),
    ...(credentials && { credentials }),
    // Stores beside AWS do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 3,
    requestHandler: { requestTimeout: TIMEOUT_MS, connectionTimeout: 10_000 },
  });
  const told = async <T>(key: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw explained(address, key, error);
    }
  };
  await told('', async () => client.send(new HeadBucketCommand({ Bucket: bucket })));
  return {
    address,
    put: async (key, content, { ifAbsent = false } = {}) =>
      told(key, async () => {
        try {
          await client.send(
            new PutObjectCommand({
              Bucket: bucket,
              Key: base + key,
              Body: content,
              ContentLength: content.length,
              ...(ifAbsent && { IfNoneMatch: '*' }),
            }),
          );
          return true;
        } catch (error) {
          // 409: another writer is putting the same key at this moment.
          if (ifAbsent && [409, 412].includes(statusOf(error) ?? 0)) return false;
          throw error;
        }
      }),
    get: async (key) =>
      told(key, async () => {
        try {
          const { Body: body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: base + key }));
          return Buffer.from((await body?.transformToByteArray()) ?? []);
        } catch (error) {
          if (error instanceof NoSuchKey) return undefined;
          throw error;
        }
      }),
    async *list(under) {
      let token: string | undefined;
      do {
        const page = await told(under, async () =>
          client.send(
            new ListObjectsV2Command({
              Bucket: bucket,
              Prefix: base + under,
              ...(token !== undefined && { ContinuationToken: token }),
            }),
          ),
        );
        for (const { Key: key, Size: size, LastModified: modified } of page.Contents ?? []) {
          if (key === undefined) continue;
          yield { key: key.slice(base.length), size: size ?? 0, modified: modified ?? new Date(0) };
        }
        token = page.IsTruncated ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },
    delete: async (key) => {
      await told(key, async () => client.send(new DeleteObjectCommand({ Bucket: bucket, Key: base + key })));
    },
    close: async () => client.destroy(),
  };
}

function statusOf(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

function explained(address: string, key: string, error: unknown): BackupProblem {
  const object = key === '' ? {} : { object: key };
  const words = error instanceof Error ? error.message || error.name : String(error);
  const status = statusOf(error);
  if (status === 501) {
    return new BackupProblem(
      'unavailable',
      `The store of ${address} cannot put an object only if it is absent (If-None-Match), which keeps two writers apart. Use another store.`,
      { ...object, cause: error },
    );
  }
  if (status === 507) {
    return new BackupProblem(
      'full',
      `The store of ${address} is full. Make room, or add another repository.`,
      {
        ...object,
        cause: error,
      },
    );
  }
  const why =
    status === 403 || status === 401
      ? 'its keys (CALCULAUD_BACKUP_S3_ACCESS_KEY_ID) are refused'
      : status === 404
        ? 'there is no such bucket'
        : words;
  return new BackupProblem('unavailable', `The repository ${address} cannot be used: ${why}.`, {
    ...object,
    cause: error,
  });
}
