import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { type KeyRing, parseKeyRing, printKeyRing } from './keyring.ts';
import { BackupProblem } from './problem.ts';
import type { BackupStore } from './store.ts';

/** The keys in a repository, for whoever has the recovery kit and nothing else. */
const WRAPPED = 'keys/';

export interface RecoveryIdentity {
  /** `AGE-SECRET-KEY-1…`: it is printed once, and kept nowhere on the server. */
  readonly secret: string;
  /** `age1…` */
  readonly recipient: string;
}

export async function newRecoveryIdentity(): Promise<RecoveryIdentity> {
  const secret = await generateX25519Identity();
  return { secret, recipient: await identityToRecipient(secret) };
}

/** Puts the keys into the repository, readable for the recipient alone. The newest one counts; none is taken away. */
export async function wrapKeys(store: BackupStore, keyring: KeyRing, recipient: string): Promise<void> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  const wrapped = await encrypter.encrypt(printKeyRing(keyring));
  for (let number = (await lastNumber(store)) + 1; ; number += 1) {
    if (await store.put(`${WRAPPED}${String(number).padStart(6, '0')}.age`, wrapped, { ifAbsent: true }))
      return;
  }
}

async function lastNumber(store: BackupStore): Promise<number> {
  let last = 0;
  for await (const { key } of store.list(WRAPPED)) {
    last = Math.max(last, Number(/(\d{6})\.age$/.exec(key)?.[1] ?? 0));
  }
  return last;
}

/** The keys of a repository, opened with the secret of its recovery kit. */
export async function openWithKit(store: BackupStore, secret: string): Promise<KeyRing> {
  const last = await lastNumber(store);
  for (let number = last; number > 0; number -= 1) {
    const key = `${WRAPPED}${String(number).padStart(6, '0')}.age`;
    const wrapped = await store.get(key);
    if (wrapped === undefined) continue;
    const text = await unwrapped(wrapped, secret);
    if (text !== undefined) return parseKeyRing(text, key);
  }
  throw new BackupProblem(
    'wrong-key',
    last === 0
      ? `There are no keys in ${store.address}: it is no repository, or only a part of one.`
      : `The recovery kit does not open the keys in ${store.address}: it belongs to another repository.`,
  );
}

async function unwrapped(wrapped: Buffer, secret: string): Promise<string | undefined> {
  try {
    const decrypter = new Decrypter();
    decrypter.addIdentity(secret);
    return await decrypter.decrypt(wrapped, 'text');
  } catch {
    // Wrapped for another recipient: an earlier one may be ours.
    return undefined;
  }
}

export interface KitContents {
  readonly organisation: string;
  readonly repositories: readonly string[];
  readonly identity: RecoveryIdentity;
  readonly appVersion: string;
  readonly madeAt: Date;
}

/** The page to print. With it and one of the repositories everything comes back; without it nothing does. */
export function printKit({ organisation, repositories, identity, appVersion, madeAt }: KitContents): string {
  return `RECOVERY KIT of ${organisation}

Print this page, keep it where the server is not, then type on the server:  npx calculaud recovery-kit confirm
Whoever has it can read every backup. Without it no backup can be read once the server is gone.

Secret key     ${identity.secret}
Belongs to     ${identity.recipient}
Repositories   ${repositories.join('\n               ')}
Made           ${madeAt.toISOString()} by Calculaud ${appVersion}

To restore on a new machine, with Node.js and a checkout or image of Calculaud ${appVersion} or newer:

  1. Write the secret key above into a file:          nano kit.txt
  2. Restore into an empty data folder:
       CALCULAUD_DATA=./data CALCULAUD_BACKUP_REPOSITORIES=${repositories.at(-1) ?? ''} \\
         npx calculaud restore --to latest --kit kit.txt
  3. Start the system:                                CALCULAUD_DATA=./data npm start
`;
}

/** Finds the secret key in a kit, or in a file that holds nothing else. */
export function readKit(text: string, origin: string): string {
  const secret = /AGE-SECRET-KEY-1[0-9A-Z]+/.exec(text)?.[0];
  if (secret !== undefined) return secret;
  throw new BackupProblem('wrong-key', `${origin} holds no secret key (AGE-SECRET-KEY-1…).`, {
    object: origin,
  });
}
