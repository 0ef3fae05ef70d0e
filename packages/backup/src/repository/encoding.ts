import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip, gunzipSync, gzip, gzipSync, type ZlibOptions } from 'node:zlib';
import type { KeyRing } from './keyring.ts';
import { FORMAT } from './manifest.ts';
import { BackupProblem } from './problem.ts';

/**
 * How an object lies in a store: `CLDB`, the version of the format, how it is compressed, the id of its data key, a nonce,
 * then AES-256-GCM of the content with the tag at the end. The key of the object and everything before the nonce are
 * authenticated with it, so that no object passes for another one.
 */
const MAGIC = Buffer.from('CLDB');
const KEY_ID_BYTES = 8;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = MAGIC.length + 2 + KEY_ID_BYTES;
const [PLAIN, GZIP] = [0, 1];
/**
 * Level 1: 6 took four times as long for 6 % less (backup.md, 2.1). The larger memory of level 9 makes it 20 % faster with
 * pages of PostgreSQL (90 and 108 MB in a second of a processor), and nothing larger.
 */
const SPEED = { level: 1, memLevel: 9 };
/** What zlib gives out at a time: in the 16 KiB that are usual, a chunk went to the main thread and back for each. */
const [ZIPPED_BYTES, UNFOLDED_BYTES] = [512 * 1024, 1024 * 1024];
/** Less is done at once: handing it to another thread took longer than the work, for a thousand small files. */
const SMALL_BYTES = 32 * 1024;
/** Nothing that we write is larger; a small object must not unfold to all of the memory. */
const MOST_BYTES = 256 * 1024 * 1024;

const compress = promisify<Uint8Array, ZlibOptions, Buffer>(gzip);
const unfold = promisify<Uint8Array, ZlibOptions, Buffer>(gunzip);

async function zip(content: Uint8Array): Promise<Buffer> {
  const options = { ...SPEED, chunkSize: Math.min(content.length + 1024, ZIPPED_BYTES) };
  return content.length < SMALL_BYTES ? gzipSync(content, options) : compress(content, options);
}

/** Its last four bytes tell how much it will be. */
async function unzip(content: Buffer): Promise<Buffer> {
  const bytes = content.length < 18 ? 0 : content.readUInt32LE(content.length - 4);
  const options = { maxOutputLength: MOST_BYTES, chunkSize: Math.min(bytes, UNFOLDED_BYTES) + 64 };
  return bytes < SMALL_BYTES && content.length < SMALL_BYTES
    ? gunzipSync(content, options)
    : unfold(content, options);
}

/** Compressed where that helps, and encrypted for this key of the store. */
export async function encode(keyring: KeyRing, key: string, content: Uint8Array): Promise<Buffer> {
  const zipped = content.length > 64 ? await zip(content) : undefined;
  const smaller = zipped !== undefined && zipped.length < content.length;
  const head = Buffer.concat([
    MAGIC,
    Buffer.from([FORMAT, smaller ? GZIP : PLAIN]),
    Buffer.from(keyring.currentDataKey, 'hex'),
  ]);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', dataKey(keyring, keyring.currentDataKey, key), nonce);
  cipher.setAAD(Buffer.concat([head, Buffer.from(key)]));
  return Buffer.concat([
    head,
    nonce,
    cipher.update(smaller ? zipped : content),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

/** The content again; rejects with 'unknown-format', 'wrong-key' or 'corrupt', naming the object. */
export async function decode(keyring: KeyRing, key: string, object: Buffer): Promise<Buffer> {
  const damaged = (why: string, cause?: unknown) =>
    new BackupProblem(
      'corrupt',
      `The object ${key} is damaged: ${why}. Another repository may still have it.`,
      {
        object: key,
        cause,
      },
    );
  if (!object.subarray(0, MAGIC.length).equals(MAGIC.subarray(0, object.length))) {
    throw damaged('it does not begin as ours do');
  }
  if (object.length < HEAD_BYTES + NONCE_BYTES + TAG_BYTES)
    throw damaged(`it has only ${object.length} bytes`);
  const [version, compression] = [object[MAGIC.length], object[MAGIC.length + 1]];
  if (version !== FORMAT) {
    throw new BackupProblem(
      'unknown-format',
      `The object ${key} has format ${version}; this version of Calculaud reads format ${FORMAT}. Use the version that wrote it, or a newer one.`,
      { object: key },
    );
  }
  const keyId = object.subarray(MAGIC.length + 2, HEAD_BYTES).toString('hex');
  const decipher = createDecipheriv(
    'aes-256-gcm',
    dataKey(keyring, keyId, key),
    object.subarray(HEAD_BYTES, HEAD_BYTES + NONCE_BYTES),
  );
  decipher.setAAD(Buffer.concat([object.subarray(0, HEAD_BYTES), Buffer.from(key)]));
  decipher.setAuthTag(object.subarray(-TAG_BYTES));
  try {
    const content = Buffer.concat([
      decipher.update(object.subarray(HEAD_BYTES + NONCE_BYTES, -TAG_BYTES)),
      decipher.final(),
    ]);
    return compression === GZIP ? await unzip(content) : content;
  } catch (error) {
    throw damaged('its bytes are not those that were written', error);
  }
}

function dataKey(keyring: KeyRing, id: string, object: string): Buffer {
  const key = keyring.dataKeys.get(id);
  if (key) return key;
  throw new BackupProblem(
    'wrong-key',
    `The object ${object} was encrypted with the key ${id}, which is not among those that were given. Use the keys or the recovery kit of this repository.`,
    { object },
  );
}
