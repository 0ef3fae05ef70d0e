import { existsSync } from 'node:fs';
import { access, constants, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { makeFolder, writeDurably } from '../postgres/durable-file.ts';
import { type KeyRing, newKeyRing, readKeyRing, writeKeyRing } from '../repository/keyring.ts';
import {
  createRepository,
  type OpenedRepository,
  openRepository,
  repositoryIn,
} from '../repository/open-repository.ts';
import { openStore, storeAddress } from '../repository/open-store.ts';
import { BackupProblem } from '../repository/problem.ts';
import { makeRecoveryKit, openWithKit, type RecoveryKit } from '../repository/recovery-kit.ts';
import type { S3Credentials } from '../repository/s3-store.ts';
import type { RetentionPolicy } from '../retention/policy.ts';
import type { BackupStore } from '../repository/store.ts';
import { isWrappedFor, newAgeKeyPair, recipientsIn, wrapKeys } from '../repository/wrapped-keys.ts';

export interface BackupSettings {
  readonly appVersion: string;
  readonly repositories: readonly string[];
  /** File with the keys. */
  readonly keys: string;
  /** Folder for what this machine keeps of its own. */
  readonly workFolder: string;
  readonly s3: S3Credentials | undefined;
  /** Whether the server waits with each commit until its log is on the disk here, too. */
  readonly synchronous: boolean;
  /** Of log that waits here for repositories that cannot be used. */
  readonly spoolLimitBytes: number;
  readonly retention: RetentionPolicy;
  /** Asked for as long as all is well; whoever has it can keep the alarm silent. */
  readonly pingUrl: string | undefined;
}

export interface OpenedRepositories {
  readonly repositories: readonly OpenedRepository[];
  /** Those that cannot be used now, and why. */
  readonly unusable: readonly { readonly address: string; readonly problem: Error }[];
  close(): Promise<void>;
}

/** Where the page to print waits until somebody confirms that he has it. */
export function kitFile(settings: Pick<BackupSettings, 'keys'>): string {
  return join(dirname(settings.keys), 'recovery-kit.txt');
}

export function isKitWaiting(settings: Pick<BackupSettings, 'keys'>): boolean {
  return existsSync(kitFile(settings));
}

/** Somebody has the kit: it goes from this machine, where it would open the backups to whoever breaks in. */
export async function confirmKit(settings: Pick<BackupSettings, 'keys'>): Promise<void> {
  await rm(kitFile(settings), { force: true });
}

/** Opens every repository that can be used; makes nothing. */
export async function findRepositories(settings: BackupSettings): Promise<OpenedRepositories> {
  const keyring = await readKeyRing(settings.keys);
  if (!keyring) throw noKeys(settings);
  return open(settings, async (address) =>
    openRepository(await openStore(address, settings.s3, { create: false }), keyring),
  );
}

/** Opens every repository that can be used; makes keys, kit and repositories at the first start. */
export async function openRepositories(settings: BackupSettings): Promise<OpenedRepositories> {
  const keyring = (await readKeyRing(settings.keys)) ?? (await firstKeys(settings));
  const made: string[] = [];
  const all = await open(settings, async (address) => {
    const store = await openStore(address, settings.s3);
    await assertNotVanished(settings, address, store);
    const opened = await createRepository(store, keyring);
    made.push(address);
    const { recipient } = keyring;
    // A repository that was added later gets the keys, too.
    if (recipient !== undefined && !(await isWrappedFor(store, keyring, recipient))) {
      await wrapKeys(store, keyring, { add: [recipient] });
    }
    return opened;
  });
  // Together: they were opened beside each other, and each would write over what the others have noted.
  await noteMade(settings, made);
  return all;
}

/** The same for somebody who has only the kit, and changes nothing. */
export async function openRepositoriesWithKit(
  settings: BackupSettings,
  kit: RecoveryKit,
): Promise<OpenedRepositories> {
  return open(settings, async (address) => {
    const store = await openStore(address, settings.s3, { create: false });
    return openRepository(store, await openWithKit(store, kit));
  });
}

async function open(
  settings: BackupSettings,
  one: (address: string) => Promise<OpenedRepository>,
): Promise<OpenedRepositories> {
  const results = await Promise.allSettled(settings.repositories.map(one));
  const repositories = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const unusable = results.flatMap((result, index) =>
    result.status === 'rejected'
      ? [{ address: storeAddress(settings.repositories[index] ?? ''), problem: asError(result.reason) }]
      : [],
  );
  return {
    repositories,
    unusable,
    close: async () => {
      await Promise.all(repositories.map(async (repository) => repository.close()));
    },
  };
}

const knownAddresses = z.array(z.string());
const knownFile = (settings: BackupSettings): string => join(settings.workFolder, 'known-repositories.json');

/** A place that held a repository and is empty now is a disk that is not mounted, and not a place for a new one. */
async function assertNotVanished(
  settings: BackupSettings,
  address: string,
  store: BackupStore,
): Promise<void> {
  if ((await repositoryIn(store)) !== undefined || !(await known(settings)).includes(address)) return;
  throw new BackupProblem(
    'missing',
    `There was a repository in ${address}, and there is none any more. Is its disk mounted? If it was emptied on purpose, take its address out of ${knownFile(settings)}: then it is made anew.`,
  );
}

async function noteMade(settings: BackupSettings, addresses: readonly string[]): Promise<void> {
  const before = await known(settings);
  const all = [...new Set([...before, ...addresses])];
  if (all.length === before.length) return;
  await makeFolder(settings.workFolder);
  await writeDurably(settings.workFolder, 'known-repositories.json', Buffer.from(JSON.stringify(all)));
}

async function known(settings: BackupSettings): Promise<readonly string[]> {
  const text = await readFile(knownFile(settings), 'utf8').catch(() => '[]');
  return knownAddresses.catch([]).parse(jsonOf(text));
}

function jsonOf(text: string): unknown {
  try {
    const parsed: unknown = JSON.parse(text);
    return parsed;
  } catch {
    return undefined;
  }
}

async function firstKeys(settings: BackupSettings): Promise<KeyRing> {
  for (const address of settings.repositories) {
    const store = await openStore(address, settings.s3, { create: false }).catch(() => undefined);
    const found = store && (await repositoryIn(store));
    await store?.close();
    if (found === undefined) continue;
    throw new BackupProblem(
      'wrong-key',
      `${address} holds backups already, and ${settings.keys}, which would open them, is missing. Bring the keys back with the recovery kit (calculaud recovery-kit use <file>), or name another folder in CALCULAUD_BACKUP_REPOSITORIES.`,
      { object: settings.keys },
    );
  }
  const { identity, keyring } = await newKeys();
  await mkdir(dirname(settings.keys), { recursive: true, mode: 0o700 });
  await mkdir(settings.workFolder, { recursive: true, mode: 0o700 });
  await writeFile(kitFile(settings), kitPage(settings, keyring, identity), { mode: 0o600 });
  // Last: what was made before without it is made anew by the next start.
  await writeKeyRing(settings.keys, keyring);
  return keyring;
}

/** Keys for new repositories, and the identity that opens them without the server: it is shown once, on the recovery kit. */
export async function newKeys(): Promise<{ readonly keyring: KeyRing; readonly identity: string }> {
  const { identity, recipient } = await newAgeKeyPair();
  return { identity, keyring: { ...newKeyRing(), recipient } };
}

function kitPage({ repositories, appVersion }: BackupSettings, keyring: KeyRing, identity: string): string {
  return makeRecoveryKit({
    identity,
    keyring,
    addresses: repositories,
    restoreCommand: 'CALCULAUD_DATA=./data npx calculaud restore --to latest --kit recovery-kit.txt',
    madeAt: new Date(),
    appVersion,
  });
}

/**
 * A new kit for somebody who has lost the old one, or must assume that it is in wrong hands: the repositories are opened by the
 * new one from now on, and not by the old one. All of them must be within reach, else one would go on trusting the old one.
 */
export async function renewKit(settings: BackupSettings): Promise<string> {
  const keyring = await readKeyRing(settings.keys);
  if (!keyring) throw noKeys(settings);
  await access(dirname(settings.keys), constants.W_OK).catch((error: unknown) => {
    throw new BackupProblem(
      'impossible',
      `${settings.keys} cannot be written here, and would go on with the kit of before. Renew the kit where the keys are kept.`,
      { object: settings.keys, cause: error },
    );
  });
  const stores = await Promise.all(
    settings.repositories.map(async (address) => openStore(address, settings.s3, { create: false })),
  );
  try {
    const before = await Promise.all(stores.map(async (store) => recipientsIn(store, keyring)));
    const { identity, recipient } = await newAgeKeyPair();
    // The page first: a key that nobody has must open nothing.
    await makeFolder(dirname(settings.keys));
    const page = Buffer.from(kitPage(settings, keyring, identity));
    await writeDurably(dirname(settings.keys), basename(kitFile(settings)), page);
    const renewed = { ...keyring, recipient };
    for (const store of stores) await wrapKeys(store, renewed, { add: [recipient] });
    await writeKeyRing(settings.keys, renewed);
    for (const [index, store] of stores.entries()) {
      await wrapKeys(store, renewed, { remove: before[index] ?? [] });
    }
    return kitFile(settings);
  } finally {
    await Promise.all(stores.map(async (store) => store.close()));
  }
}

function noKeys({ keys }: BackupSettings): BackupProblem {
  return new BackupProblem('wrong-key', `There are no keys of backups in ${keys}.`, { object: keys });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
