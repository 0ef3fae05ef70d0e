import { setTimeout as pause } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  PutObjectCommand,
  S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { BackupProblem } from './problem.ts';
import { type S3Place, s3Address } from './s3-address.ts';
import { assertStoreKey, type BackupStore } from './store.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

interface Limits {
  /** Of one call, its repetitions included. */
  readonly callMs: number;
  readonly attempts: number;
}

/** A segment of 16 MiB goes through at 1 Mbit/s in 128 s; a store that gives no answer at all is known far sooner. */
const LIMITS: Limits = { callMs: 180_000, attempts: 4 };
const CONNECT_MS = 5000;
const SILENCE_MS = 30_000;
/** Writers of the same key, who are told to try again. */
const CONFLICTS = 5;

/**
 * Stores that do not know `If-None-Match` mostly ignore it, and two writers would both win. This object is put twice, once in
 * the life of a repository: a store that takes it again cannot keep one.
 */
const PROBE = 'conditional-put';

/** A repository in a bucket. Without credentials the usual places of AWS are searched: environment, profile, machine. */
export async function openS3Store(
  place: S3Place,
  credentials?: S3Credentials,
  { callMs, attempts }: Limits = LIMITS,
): Promise<BackupStore> {
  const { bucket, prefix, endpoint, region } = place;
  const address = s3Address(place);
  const client = new S3Client({
    // Names of buckets are not host names at other stores, and their regions mean nothing.
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    region: region ?? 'us-east-1',
    followRegionRedirects: true,
    ...(credentials ? { credentials } : {}),
    maxAttempts: attempts,
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
    // Each content is signed with its SHA-256, and authenticated when it is read: further checksums only keep out stores
    // that do not know them.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const base = prefix === '' ? '' : `${prefix}/`;
  const object = (key: string) => {
    assertStoreKey(key);
    return { Bucket: bucket, Key: `${base}${key}` };
  };
  const told = async <T>(
    key: string,
    work: (limit: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<T> => {
    const abortSignal = AbortSignal.timeout(callMs);
    try {
      return await work({ abortSignal });
    } catch (error) {
      throw problemOf(error, address, key, abortSignal.aborted ? callMs : undefined);
    }
  };

  const get = async (key: string): Promise<Buffer | undefined> => {
    const wanted = object(key);
    return told(key, async (limit) => {
      for (let attempt = 1; ; attempt += 1) {
        const found = await client.send(new GetObjectCommand(wanted), limit).catch((error: unknown) => {
          if (error instanceof NoSuchKey) return undefined;
          throw error;
        });
        if (found === undefined) return undefined;
        try {
          const content = Buffer.from((await found.Body?.transformToByteArray()) ?? []);
          if (content.length === (found.ContentLength ?? content.length)) return content;
          throw new Error(`it ended after ${content.length} of ${found.ContentLength} bytes`);
        } catch (error) {
          // The client repeats a question, but not the reading of an answer that broke off.
          if (attempt >= attempts || limit.abortSignal.aborted) throw error;
        }
      }
    });
  };

  const putIfAbsent = async (
    key: string,
    content: Uint8Array,
    limit: { abortSignal: AbortSignal },
  ): Promise<boolean> => {
    const wanted = { ...object(key), Body: content, IfNoneMatch: '*' };
    for (let conflicts = 0; ; conflicts += 1) {
      try {
        await client.send(new PutObjectCommand(wanted), limit);
        return true;
      } catch (error) {
        if (!(error instanceof S3ServiceException)) throw error;
        const { httpStatusCode: status, attempts: tried = 1 } = error.$metadata;
        if (status === 412) {
          // An attempt whose answer was lost may have put it: no other writer has the same bytes.
          if (tried === 1 && conflicts === 0) return false;
          return (await get(key))?.equals(content) ?? false;
        }
        if (status !== 409 || conflicts === CONFLICTS) throw error;
        await pause(50 * 2 ** conflicts, undefined, { signal: limit.abortSignal });
      }
    }
  };

  /** Rejects when this store would let two writers win. */
  const assertConditional = async (limit: { abortSignal: AbortSignal }): Promise<void> => {
    const content = Buffer.from('Put only if absent: this store must refuse it the second time.\n');
    const put = async () =>
      client.send(new PutObjectCommand({ ...object(PROBE), Body: content, IfNoneMatch: '*' }), limit).then(
        () => true,
        (error: unknown) => {
          if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 412) return false;
          throw error;
        },
      );
    if ((await put()) && (await put())) throw unconditional(address, undefined);
  };
  let conditional: Promise<void> | undefined;

  const list: BackupStore['list'] = async function* list(below) {
    let token: string | undefined;
    do {
      const page = await told(below, async (limit) =>
        client.send(
          new ListObjectsV2Command({
            Bucket: bucket,
            Prefix: `${base}${below}`,
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          limit,
        ),
      );
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        if (Key === undefined || Size === undefined || LastModified === undefined) continue;
        yield { key: Key.slice(base.length), size: Size, modified: LastModified };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  };

  try {
    // The smallest question that needs the bucket, the keys and the right to list.
    await told('', async (limit) =>
      client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: base, MaxKeys: 1 }), limit),
    );
  } catch (error) {
    client.destroy();
    throw error;
  }
  return {
    address,
    put: async (key, content, { ifAbsent = false } = {}) =>
      told(key, async (limit) => {
        if (!ifAbsent) {
          await client.send(new PutObjectCommand({ ...object(key), Body: content }), limit);
          return true;
        }
        await (conditional ??= assertConditional(limit).catch((error: unknown) => {
          conditional = undefined;
          throw error;
        }));
        return putIfAbsent(key, content, limit);
      }),
    get,
    list,
    delete: async (key) =>
      told(key, async (limit) => {
        await client.send(new DeleteObjectCommand(object(key)), limit);
      }),
    close: async () => {
      client.destroy();
    },
  };
}

function unconditional(address: string, cause: unknown): BackupProblem {
  return new BackupProblem(
    'impossible',
    `The store of ${address} cannot put an object only if it is absent (If-None-Match: *), so that two backups at a time would spoil each other. Use a newer version of it, another store, or a folder.`,
    { cause },
  );
}

const FULL = /quota|storagefull|insufficientstorage|insufficientcapacity|nospace|diskfull/i;

const REASONS: ReadonlyMap<string, string> = new Map([
  ['NoSuchBucket', 'there is no such bucket. Make it, or correct the address'],
  ['InvalidAccessKeyId', 'it does not know the access key. Correct the credentials'],
  ['SignatureDoesNotMatch', 'the secret key is wrong. Correct the credentials'],
  ['ExpiredToken', 'the credentials have expired. Renew them'],
  ['AccessDenied', 'it refuses access. The key must be allowed to list, read and write there'],
  ['RequestTimeTooSkewed', 'its clock and the one of this machine differ. Set the clock'],
  ['CredentialsProviderError', 'no credentials for it were found. Give an access key and its secret'],
]);

/** Says in words why the bucket cannot be used. No answer of a store holds a secret of ours. */
function problemOf(error: unknown, address: string, key: string, elapsedMs: number | undefined): unknown {
  if (error instanceof BackupProblem) return error;
  if (!(error instanceof Error)) return error;
  const options = { ...(key === '' ? {} : { object: key }), cause: error };
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  if (status === 501 || error.name === 'NotImplemented') return unconditional(address, error);
  if (status === 507 || FULL.test(error.name)) {
    return new BackupProblem(
      'full',
      `The store of ${address} is full (${error.name}). Make room, or add another repository.`,
      options,
    );
  }
  const reason =
    REASONS.get(error.name) ??
    (elapsedMs === undefined
      ? `${codeOf(error) ?? `${error.name}: ${error.message}`}. Is it reachable from here? It is tried again later`
      : `it did not finish within ${elapsedMs / 1000} s. It is tried again later`);
  return new BackupProblem('unavailable', `The repository ${address} cannot be used: ${reason}.`, options);
}

function codeOf(error: Error): string | undefined {
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.cause instanceof Error ? codeOf(error.cause) : undefined;
}
