import type { KeyObject } from 'node:crypto';
import { type FileHandle, open, unlink, writeFile } from 'node:fs/promises';
import { type KeyPair, readPrivateKey, readPublicKey } from '../bundle/signature.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';

/** Reads a private key, if it is one that nobody else can read. */
export async function privateKeyFrom(path: string): Promise<KeyObject> {
  return readPrivateKey(
    await textOf(path, async (file) => {
      const { mode, uid } = await file.stat();
      const others = mode & 0o077;
      if (others !== 0) {
        throw new CliError(
          `Others may use the private key ${path}: its mode is ${(mode & 0o777).toString(8)}.`,
          `Give it to its owner alone (chmod 600 ${path}), and think about who has read it.`,
          EXIT.refused,
        );
      }
      const me = process.getuid?.();
      if (me !== undefined && me !== 0 && uid !== me) {
        throw new CliError(`The private key ${path} belongs to somebody else.`, '', EXIT.refused);
      }
    }),
    path,
  );
}

export async function publicKeyFrom(path: string): Promise<KeyObject> {
  return readPublicKey(await textOf(path, async () => undefined), path);
}

/** Writes a pair of keys beside each other, over nothing that exists. */
export async function writeKeyPair(paths: KeyPair, { privateKey, publicKey }: KeyPair): Promise<void> {
  await create(paths.privateKey, privateKey, 0o600);
  try {
    await create(paths.publicKey, publicKey, 0o644);
  } catch (error) {
    await unlink(paths.privateKey);
    throw error;
  }
}

async function create(path: string, content: string, mode: number): Promise<void> {
  try {
    await writeFile(path, content, { flag: 'wx', mode });
  } catch (error) {
    const there = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    throw new CliError(
      `${path} ${there ? 'is there already' : `cannot be written: ${String(error)}`}. Nothing was changed.`,
      there ? 'A key that signed something is never written over: name another one.' : '',
      EXIT.refused,
      { cause: error },
    );
  }
}

/** A key has some hundred bytes; whatever is larger is none. */
const LARGEST = 64 * 1024;

/** What is checked and what is read is the same file, whatever happens to its name. */
async function textOf(path: string, check: (file: FileHandle) => Promise<void>): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const stats = await file.stat();
    if (!stats.isFile() || stats.size > LARGEST) throw new Error('it is no file of a key');
    await check(file);
    return await file.readFile('utf8');
  } catch (error) {
    if (error instanceof CliError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(
      `The key ${path} cannot be read: ${reason}`,
      'Make a pair of keys with `calculaud bundle key`.',
      EXIT.refused,
      { cause: error },
    );
  } finally {
    await file?.close();
  }
}
