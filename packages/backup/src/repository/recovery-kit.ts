import { createHash } from 'node:crypto';
import type { KeyRing } from './keyring.ts';
import { parseStoreAddress } from './open-store.ts';
import { BackupProblem } from './problem.ts';
import type { BackupStore } from './store.ts';
import { unwrapKeys } from './wrapped-keys.ts';

/** What opens the repositories of a system when nothing else of it is left, on one page of paper. */
export interface RecoveryKit {
  /** The key itself, `AGE-SECRET-KEY-1…`: the only secret of the page. */
  readonly identity: string;
  /** Which repository it is for. */
  readonly repository: string;
  /** Of its signatures: whoever has the store, and swaps everything in it, is found out. */
  readonly fingerprint: string;
  /** Addresses of the stores. */
  readonly addresses: readonly string[];
}

export interface KitContent {
  readonly identity: string;
  readonly keyring: KeyRing;
  readonly addresses: readonly string[];
  /** The line to type on a new machine; the page is saved there as recovery-kit.txt. */
  readonly restoreCommand: string;
  readonly madeAt: Date;
  readonly appVersion: string;
}

/**
 * The page. It is a file of identities of the program `age` as well (everything but the key is a comment), so that the keys in
 * the repository can be opened even without Calculaud.
 */
export function makeRecoveryKit(content: KitContent): string {
  const { identity, keyring, addresses, restoreCommand, madeAt, appVersion } = content;
  // None with a password in it, and none that ends the line.
  for (const address of addresses) parseStoreAddress(address);
  const lines = [
    'CALCULAUD RECOVERY KIT',
    '',
    'Print this page and lock it away, far from the server. Whoever has it, and can read one of the',
    'places below, can read everything that was backed up. Nobody can restore without it or the server.',
    '',
    `made at:     ${madeAt.toISOString()}`,
    `made by:     Calculaud ${appVersion}`,
    `repository:  ${keyring.repository}`,
    `fingerprint: ${fingerprintOf(keyring)}`,
    ...addresses.map((address) => `backups in:  ${address}`),
    '',
    'When the server is gone:',
    `1. Install Calculaud ${appVersion}, or a newer version, on another machine.`,
    '2. Save this page there as recovery-kit.txt, readable for you alone. Lines that begin with # may be',
    '   left out, all but "repository", "fingerprint" and "backups in".',
    '3. A bucket asks for its own access key, which is not on this page.',
    '4. Type:',
    `   ${restoreCommand}`,
    '',
    'The key:',
  ];
  if (lines.some((line) => /[\r\n]/.test(line)))
    throw new Error('a line of the recovery kit has a line break');
  return `${lines.map((line) => `# ${line}`.trimEnd()).join('\n')}\n${identity.trim()}\n`;
}

/** Reads a page as it was saved or typed off; says what is missing on it. */
export function readRecoveryKit(text: string): RecoveryKit {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/^[\s#>]+/, '').trim());
  const all = (label: RegExp): readonly string[] =>
    lines.flatMap((line) => {
      const [found] = label.exec(line) ?? [];
      return found === undefined ? [] : [line.slice(found.length).trim()];
    });
  const one = (name: string, label: RegExp): string => {
    const found = new Set(all(label).map((value) => value.toLowerCase()));
    const [value] = found;
    if (found.size === 1 && value) return value;
    throw unusable(found.size === 0 ? `it has no line "${name}"` : `it has several lines "${name}"`);
  };
  const identities = new Set(
    lines
      .filter((line) => /^AGE-SECRET-KEY-1/i.test(line))
      .map((line) => line.replaceAll(/\s/g, '').toUpperCase()),
  );
  const [identity] = identities;
  if (identity === undefined) throw unusable('it has no line that begins with AGE-SECRET-KEY-1');
  if (identities.size > 1) throw unusable('it has several keys');
  return {
    identity,
    repository: one('repository:', /^repository:/i),
    fingerprint: one('fingerprint:', /^fingerprint:/i),
    addresses: all(/^backups in:/i),
  };
}

/** The keys of the repository, from it and the kit alone; rejects those of a repository that the kit was not made for. */
export async function openWithKit(
  store: BackupStore,
  { identity, repository, fingerprint }: Pick<RecoveryKit, 'identity' | 'repository' | 'fingerprint'>,
): Promise<KeyRing> {
  const keyring = await unwrapKeys(store, identity);
  if (keyring.repository === repository && fingerprintOf(keyring) === fingerprint) return keyring;
  throw new BackupProblem(
    'foreign',
    `The keys in ${store.address} are not those of the repository ${repository} on the recovery kit. If the page was typed off, compare it; if not, somebody has exchanged the repository: use another one.`,
    { object: 'keys/' },
  );
}

/** Of the key that signs manifests, which stays the same when data keys change: 128 bits, for people to compare. */
export function fingerprintOf({ verifyingKey }: KeyRing): string {
  const digest = createHash('sha256').update(verifyingKey.export({ format: 'der', type: 'spki' }));
  return (digest.digest('hex').slice(0, 32).match(/.{4}/g) ?? []).join('-');
}

function unusable(why: string): BackupProblem {
  return new BackupProblem(
    'wrong-key',
    `This is not a complete recovery kit: ${why}. Save the whole page, or type it off again.`,
  );
}
