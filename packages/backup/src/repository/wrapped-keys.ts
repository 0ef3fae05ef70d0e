import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { z } from 'zod';
import { type KeyRing, parseKeyRing, printKeyRing } from './keyring.ts';
import { BackupProblem } from './problem.ts';
import { opened, signed } from './signed.ts';
import type { BackupStore } from './store.ts';

/**
 * The keys of a repository lie in it themselves, encrypted to those who shall be able to open it without the server: as
 * `keys/<n>.age`, which the program `age` can open, too. Beside it stands `keys/<n>.recipients`, signed: whoever has only the
 * store must not be able to add himself. Of several the highest number counts.
 */
const PREFIX = 'keys/';

export interface AgeKeyPair {
  /** `AGE-SECRET-KEY-1…`: for the recovery kit, and for no place on the server. */
  readonly identity: string;
  /** `age1…`, no secret. */
  readonly recipient: string;
}

const recipientList = z.strictObject({
  format: z.literal(1),
  recipients: z.array(z.string()).min(1),
  /** Ids only, so that a writer who lacks the newest key does not replace one who has it. */
  dataKeys: z.array(z.string()),
});

export async function newAgeKeyPair(): Promise<AgeKeyPair> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** Who can open the repository without the server; nobody before the first `wrapKeys`. */
export async function recipientsIn(store: BackupStore, keyring: KeyRing): Promise<readonly string[]> {
  return (await newestList(store, keyring)).recipients;
}

/** Whether the keys lie there for this one, too. Who was killed between the list and the keys has put a list alone. */
export async function isWrappedFor(
  store: BackupStore,
  keyring: KeyRing,
  recipient: string,
): Promise<boolean> {
  const list = await newestList(store, keyring);
  const recipients: readonly string[] = list.recipients;
  return recipients.includes(recipient) && (await store.get(keyOf(list.number, 'age'))) !== undefined;
}

/**
 * Puts the keys into the repository for those who can open it already, with some more or without some, and returns who that
 * is. After a new data key has been made this comes first, and writing with it second: else a lost server takes it along.
 */
export async function wrapKeys(
  store: BackupStore,
  keyring: KeyRing,
  { add = [], remove = [] }: { readonly add?: readonly string[]; readonly remove?: readonly string[] } = {},
): Promise<readonly string[]> {
  for (;;) {
    const before = await newestList(store, keyring);
    const unknown = before.dataKeys.find((id) => !keyring.dataKeys.has(id));
    if (unknown !== undefined) {
      throw new BackupProblem(
        'wrong-key',
        `The repository ${store.address} has a newer key (${unknown}) than the keys that were given. Read them again from their file.`,
        { object: keyOf(before.number, 'recipients') },
      );
    }
    const recipients = [...new Set([...before.recipients, ...add])].filter((each) => !remove.includes(each));
    if (recipients.length === 0) {
      throw new BackupProblem(
        'impossible',
        `Nobody could open ${store.address} without the server any more. Print a new recovery kit first.`,
      );
    }
    const wrapped = await encryptTo(recipients, printKeyRing(keyring));
    const number = before.number + 1;
    const key = keyOf(number, 'recipients');
    const list = { format: 1, recipients, dataKeys: [...keyring.dataKeys.keys()] };
    // Somebody else was first: his recipients count, too.
    if (!(await store.put(key, signed(keyring, key, list), { ifAbsent: true }))) continue;
    await store.put(keyOf(number, 'age'), wrapped);
    for await (const { key: old } of store.list(PREFIX)) {
      if (numberOf(old) > 0 && numberOf(old) < number) await store.delete(old);
    }
    return recipients;
  }
}

/** The keys, from the repository alone. They are only as true as the store: `openWithKit` checks whose they are. */
export async function unwrapKeys(store: BackupStore, identity: string): Promise<KeyRing> {
  const newest = await newestOf(store, 'age');
  if (newest === undefined) {
    throw new BackupProblem(
      'missing',
      `There are no keys in ${store.address}. Is it the address of a repository, and was a recovery kit ever made for it?`,
      { object: PREFIX },
    );
  }
  const { key, bytes } = newest;
  const decrypter = new Decrypter();
  try {
    decrypter.addIdentity(identity.trim().toUpperCase());
  } catch {
    // The cause could repeat the key.
    throw new BackupProblem(
      'wrong-key',
      'The key of the recovery kit is not complete, or has a wrong letter. Compare it with the printed one.',
    );
  }
  let text: string;
  try {
    text = await decrypter.decrypt(bytes, 'text');
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('no identity matched')) {
      throw new BackupProblem(
        'wrong-key',
        `The recovery kit does not open the keys ${key} of ${store.address}: it belongs to another repository, or a newer kit has replaced it.`,
        { object: key, cause: error },
      );
    }
    throw new BackupProblem(
      'corrupt',
      `The keys ${key} of ${store.address} are damaged. Another repository may still have them.`,
      { object: key, cause: error },
    );
  }
  return parseKeyRing(text, `${key} of ${store.address}`);
}

async function encryptTo(recipients: readonly string[], text: string): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (error) {
      throw new BackupProblem(
        'impossible',
        'One of the recipients is not a public key of age. It begins with age1; copy it completely.',
        { cause: error },
      );
    }
  }
  return encrypter.encrypt(text);
}

async function newestList(store: BackupStore, keyring: KeyRing) {
  const newest = await newestOf(store, 'recipients');
  if (newest === undefined) return { number: 0, recipients: [], dataKeys: [] };
  const { number, key, bytes } = newest;
  const parsed = recipientList.safeParse(opened(keyring, key, bytes));
  if (parsed.success) return { number, ...parsed.data };
  throw new BackupProblem(
    'unknown-format',
    `${key} of ${store.address} is of another version of Calculaud.`,
    {
      object: key,
    },
  );
}

async function newestOf(store: BackupStore, kind: 'age' | 'recipients') {
  let missed = 0;
  for (;;) {
    let number = 0;
    for await (const { key } of store.list(PREFIX)) {
      if (key.endsWith(`.${kind}`)) number = Math.max(number, numberOf(key));
    }
    if (number === 0) return undefined;
    const key = keyOf(number, kind);
    const bytes = await store.get(key);
    if (bytes) return { number, key, bytes };
    // Replaced since it was listed, unless it is listed again.
    if (missed === number) {
      throw new BackupProblem('missing', `${store.address} lists ${key}, and does not give it.`, {
        object: key,
      });
    }
    missed = number;
  }
}

function keyOf(number: number, kind: 'age' | 'recipients'): string {
  return `${PREFIX}${String(number).padStart(10, '0')}.${kind}`;
}

function numberOf(key: string): number {
  return Number(/^keys\/(\d{10})\.(?:age|recipients)$/.exec(key)?.[1] ?? 0);
}
