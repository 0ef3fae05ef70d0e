import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type KeyRing, newKeyRing, readKeyRing, writeKeyRing } from '../repository/keyring.ts';
import {
  createRepository,
  type OpenedRepository,
  openRepository,
  repositoryIn,
} from '../repository/open-repository.ts';
import { openStore } from '../repository/open-store.ts';
import { BackupProblem } from '../repository/problem.ts';
import { newRecoveryIdentity, openWithKit, printKit, wrapKeys } from '../repository/recovery-kit.ts';
import type { S3StoreOptions } from '../repository/s3-store.ts';

export interface BackupSettings {
  readonly organisation: string;
  readonly appVersion: string;
  readonly repositories: readonly string[];
  /** File with the keys. */
  readonly keys: string;
  /** Folder for what this machine keeps of its own. */
  readonly workFolder: string;
  readonly s3: S3StoreOptions['credentials'];
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
  if (!keyring) {
    throw new BackupProblem('wrong-key', `There are no keys of backups in ${settings.keys}.`, {
      object: settings.keys,
    });
  }
  return open(settings, async (address) =>
    openRepository(await openStore(address, settings.s3, { create: false }), keyring),
  );
}

/** Opens every repository that can be used; makes keys, kit and repositories at the first start. */
export async function openRepositories(settings: BackupSettings): Promise<OpenedRepositories> {
  const keyring = (await readKeyRing(settings.keys)) ?? (await firstKeys(settings));
  return open(settings, async (address) => {
    const store = await openStore(address, settings.s3);
    const opened = await createRepository(store, keyring);
    const recipient = await recipientOf(settings);
    // A repository that was added later gets the keys, too, while they can still be wrapped.
    if (recipient !== undefined && !(await hasKeys(opened))) await wrapKeys(store, keyring, recipient);
    return opened;
  });
}

/** The same for somebody who has only the kit, and changes nothing. */
export async function openRepositoriesWithKit(
  settings: BackupSettings,
  secret: string,
): Promise<OpenedRepositories> {
  return open(settings, async (address) => {
    const store = await openStore(address, settings.s3, { create: false });
    return openRepository(store, await openWithKit(store, secret));
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
      ? [{ address: settings.repositories[index] ?? '', problem: asError(result.reason) }]
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

const recipientFile = (settings: BackupSettings): string => join(settings.workFolder, 'recipient');

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
  const keyring = newKeyRing();
  const identity = await newRecoveryIdentity();
  await mkdir(dirname(settings.keys), { recursive: true, mode: 0o700 });
  await mkdir(settings.workFolder, { recursive: true, mode: 0o700 });
  const { organisation, repositories, appVersion } = settings;
  const kit = printKit({ organisation, repositories, identity, appVersion, madeAt: new Date() });
  await writeFile(kitFile(settings), kit, { mode: 0o600 });
  await writeFile(recipientFile(settings), identity.recipient, { mode: 0o600 });
  // Last: what was made before without it is made anew by the next start.
  await writeKeyRing(settings.keys, keyring);
  return keyring;
}

async function recipientOf(settings: BackupSettings): Promise<string | undefined> {
  return readFile(recipientFile(settings), 'utf8').catch(() => undefined);
}

async function hasKeys({ store }: OpenedRepository): Promise<boolean> {
  for await (const _ of store.list('keys/')) return true;
  return false;
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
