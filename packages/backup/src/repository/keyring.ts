import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
} from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { BackupProblem } from './problem.ts';

/** All secrets of the repositories of one system. Whoever has them can read and forge everything. */
export interface KeyRing {
  /** Of all repositories that hold the same backups. */
  readonly repository: string;
  /** Makes the names of objects, so that a store learns nothing from them. */
  readonly namingKey: Buffer;
  /** By the id that stands in each object, 16 hexadecimal digits. */
  readonly dataKeys: ReadonlyMap<string, Buffer>;
  readonly currentDataKey: string;
  /** Ed25519, for manifests and records. */
  readonly signingKey: KeyObject;
  readonly verifyingKey: KeyObject;
  /** Who opens repositories without the server: the age recipient of the recovery kit. Each repository gets the keys for it. */
  readonly recipient?: string | undefined;
}

const key = z.base64().transform((text, context) => {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== 32) context.addIssue({ code: 'custom', message: 'is not 32 bytes' });
  return bytes;
});

const keyRingText = z.strictObject({
  format: z.literal(1),
  repository: z.uuid(),
  namingKey: key,
  dataKeys: z.record(z.string().regex(/^[0-9a-f]{16}$/), key),
  currentDataKey: z.string(),
  signingKey: z.string(),
  recipient: z.string().optional(),
});

export function newKeyRing(): KeyRing {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const id = newKeyId();
  return {
    repository: randomUUID(),
    namingKey: randomBytes(32),
    dataKeys: new Map([[id, randomBytes(32)]]),
    currentDataKey: id,
    signingKey: privateKey,
    verifyingKey: publicKey,
  };
}

/** What is written from now on has a new key; what was written is read with the old ones. */
export function withNewDataKey(keyring: KeyRing): KeyRing {
  const id = newKeyId();
  return {
    ...keyring,
    dataKeys: new Map([...keyring.dataKeys, [id, randomBytes(32)]]),
    currentDataKey: id,
  };
}

function newKeyId(): string {
  return randomBytes(8).toString('hex');
}

/** A name that only holders of the key can make. `kind` keeps the names of different things apart. */
export function keyedName({ namingKey }: KeyRing, kind: string, content: Uint8Array | string): string {
  return createHmac('sha256', namingKey).update(kind).update('\0').update(content).digest('hex');
}

export function printKeyRing(keyring: KeyRing): string {
  return `${JSON.stringify(
    {
      format: 1,
      repository: keyring.repository,
      namingKey: keyring.namingKey.toString('base64'),
      dataKeys: Object.fromEntries(
        [...keyring.dataKeys].map(([id, bytes]) => [id, bytes.toString('base64')]),
      ),
      currentDataKey: keyring.currentDataKey,
      signingKey: keyring.signingKey.export({ format: 'pem', type: 'pkcs8' }),
      recipient: keyring.recipient,
    },
    null,
    2,
  )}\n`;
}

/** `origin` is named when it cannot be read. */
export function parseKeyRing(text: string, origin: string): KeyRing {
  try {
    const parsed = keyRingText.parse(JSON.parse(text));
    const dataKeys = new Map(Object.entries(parsed.dataKeys));
    if (!dataKeys.has(parsed.currentDataKey)) throw new Error('the current key is not among the keys');
    const signingKey = createPrivateKey(parsed.signingKey);
    return { ...parsed, dataKeys, signingKey, verifyingKey: createPublicKey(signingKey) };
  } catch (error) {
    // What a parser says of a secret may show parts of it.
    throw new BackupProblem(
      'wrong-key',
      `${origin} does not hold the keys of a repository. Restore it from the recovery kit: calculaud recovery-kit use.`,
      { object: origin, cause: error instanceof z.ZodError ? new Error('it has another shape') : undefined },
    );
  }
}

/** Undefined when there is no such file. */
export async function readKeyRing(path: string): Promise<KeyRing | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return parseKeyRing(text, path);
}

/** Complete or not at all, for the owner alone. */
export async function writeKeyRing(path: string, keyring: KeyRing): Promise<void> {
  const unfinished = `${path}.unfinished`;
  // One that a killed writer left may have other rights.
  await rm(unfinished, { force: true });
  const file = await open(unfinished, 'wx', 0o600);
  try {
    await file.writeFile(printKeyRing(keyring));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
