import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  NoSuchKey,
  S3Client,
  S3ServiceException,
  type StorageClass,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { FileStore } from '@calculaud/config/config';
import type { ObjectStore } from './object-store.ts';

type S3Store = Extract<FileStore, { kind: 's3' }>;

/** Objects in a bucket of AWS or of any store that speaks its language. */
export function s3Storage(store: S3Store): ObjectStore {
  const client = new S3Client({
    // Names of buckets are not host names at other stores, and their regions mean nothing.
    ...(store.endpoint ? { endpoint: store.endpoint, forcePathStyle: true } : {}),
    region: store.region ?? 'us-east-1',
    followRegionRedirects: true,
    ...(store.credentials ? { credentials: store.credentials } : {}),
    requestHandler: { connectionTimeout: 5000, socketTimeout: 30_000 },
  });
  const object = (key: string) => ({ Bucket: store.bucket, Key: key });

  async function abortUploads(key: string): Promise<void> {
    const { Uploads = [] } = await client.send(
      new ListMultipartUploadsCommand({ Bucket: store.bucket, Prefix: key }),
    );
    for (const { Key, UploadId } of Uploads) {
      if (Key === key) await client.send(new AbortMultipartUploadCommand({ ...object(key), UploadId }));
    }
  }

  return {
    async put(key, content, { contentDisposition }) {
      const upload = new Upload({
        client,
        // Parts of 5 MB that are held at a time. With the four of the default an upload of 200 MB took 62 MB of memory,
        // with two 20 to 36 MB, in the same time.
        queueSize: 2,
        params: {
          ...object(key),
          Body: Readable.from(content, { objectMode: false }),
          ContentDisposition: contentDisposition,
          ...(isStorageClass(store.storageClass) ? { StorageClass: store.storageClass } : {}),
        },
      });
      await upload.done();
    },

    async open(key, range) {
      try {
        const { Body, ContentLength } = await client.send(
          new GetObjectCommand({
            ...object(key),
            ...(range ? { Range: `bytes=${range.start}-${range.end}` } : {}),
          }),
        );
        if (!(Body instanceof Readable) || ContentLength === undefined) {
          throw new Error('The store answered without content or length');
        }
        return { stream: Body, size: ContentLength };
      } catch (error) {
        if (error instanceof NoSuchKey) return undefined;
        throw error;
      }
    },

    async delete(key) {
      await client.send(new DeleteObjectCommand(object(key)));
      try {
        await abortUploads(key);
      } catch (error) {
        // Who may not list uploads in progress leaves their parts to a life cycle rule of the bucket.
        const status = error instanceof S3ServiceException && error.$metadata.httpStatusCode;
        if (status !== 403 && status !== 501) throw error;
      }
    },

    async probe() {
      try {
        await client.send(new HeadBucketCommand({ Bucket: store.bucket }));
      } catch (error) {
        throw new Error(`The bucket ${store.bucket} cannot be used: ${reasonOf(error)}`, { cause: error });
      }
    },
  };
}

/** The answer to such a question has no text of its own. */
function reasonOf(error: unknown): string {
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  if (status === 403) return 'access is denied (wrong keys, or no right to list it)';
  if (status === 404) return 'there is no such bucket';
  return error instanceof Error ? `${error.name} ${error.message}`.trim() : String(error);
}

/** Other stores have classes of their own, so any name will do. */
function isStorageClass(name: string | undefined): name is StorageClass {
  return name !== undefined;
}
