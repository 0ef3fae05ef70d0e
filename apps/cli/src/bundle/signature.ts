import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify,
} from 'node:crypto';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';

/** Signatures over manifests: Ed25519, with keys as OpenSSL writes them, so that its tools can do the same. */

const HOW = 'Make a pair of keys with `calculaud bundle key`.';

export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

export function newKeyPair(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

/** Reads the PEM of a private key. */
export function readPrivateKey(pem: string, origin: string): KeyObject {
  if (pem.includes('ENCRYPTED')) {
    throw refusal(`The private key ${origin} is encrypted, and nobody can be asked for its password.`);
  }
  return ed25519(origin, 'private', () => createPrivateKey(pem));
}

/** Reads a public key: PEM, or the one line between its first and its last. */
export function readPublicKey(text: string, origin: string): KeyObject {
  if (text.includes('PRIVATE KEY')) {
    throw refusal(
      `${origin} is a private key. Whoever loads bundles needs the public one, and nobody needs both.`,
    );
  }
  const pem = text.includes('-----BEGIN')
    ? text
    : `-----BEGIN PUBLIC KEY-----\n${text.trim()}\n-----END PUBLIC KEY-----\n`;
  return ed25519(origin, 'public', () => createPublicKey(pem));
}

export function publicHalf(privateKey: KeyObject): KeyObject {
  return createPublicKey(privateKey);
}

/** The line that calculaud.yml takes. */
export function keyLine(publicKey: KeyObject): string {
  return derOf(publicKey).toString('base64');
}

/** By which people tell keys apart. */
export function fingerprint(publicKey: KeyObject): string {
  return createHash('sha256').update(derOf(publicKey)).digest('hex');
}

export function sign(bytes: Buffer, privateKey: KeyObject): Buffer {
  return signBytes(null, bytes, privateKey);
}

export function isSignedBy(publicKey: KeyObject, bytes: Buffer, signature: Buffer): boolean {
  return verify(null, bytes, publicKey, signature);
}

function derOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' });
}

function ed25519(origin: string, half: string, read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    throw refusal(
      `${origin} holds no ${half} key: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
  if (key.asymmetricKeyType === 'ed25519') return key;
  throw refusal(
    `${origin} holds a key of the kind ${key.asymmetricKeyType}; bundles are signed with Ed25519.`,
  );
}

function refusal(message: string, cause?: unknown): CliError {
  return new CliError(message, HOW, EXIT.refused, { cause });
}
