import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lchownSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EmbeddedPostgresError } from './failure.ts';
import type { Layout } from './layout.ts';

/** The user as whom PostgreSQL's programs run, since they refuse to run as root. */
export interface Account {
  readonly name: string;
  /** Who owns the server's files; undefined when we are not root, and so everything is ours anyway. */
  readonly owner: Owner | undefined;
  /** Whom a program is started as: the owner, or ourselves. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** A command that comes before the program's own. */
  readonly wrapper: readonly string[];
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const OURSELVES: Account = {
  name: 'the current user',
  owner: undefined,
  uid: undefined,
  gid: undefined,
  wrapper: [],
};

/**
 * Root in the eyes of the files, nobody in its own: for data folders that no other user may enter, like those below
 * /root. Containers often forbid it.
 */
const ROOT_IN_DISGUISE: Account = {
  name: 'root in a user namespace',
  owner: { uid: 0, gid: 0 },
  uid: undefined,
  gid: undefined,
  wrapper: ['unshare', '--user', '--map-user=65534', '--map-group=65534'],
};

/** The program and arguments with which an account runs a command. */
export function commandOf(account: Account, program: string, args: readonly string[]): [string, string[]] {
  const [first = program, ...rest] = [...account.wrapper, program, ...args];
  return [first, rest];
}

/**
 * Not root: as we are. Root: the owner of the existing cluster, else the user calculaud or postgres if there is one,
 * else nobody. Gives the account what it must own and makes sure that it can get there.
 */
export function prepareAccount(layout: Layout, lastResort = ROOT_IN_DISGUISE): Account {
  if (process.geteuid?.() !== 0) {
    assertOurs(layout.cluster);
    return OURSELVES;
  }
  const account = unprivilegedAccount(layout.cluster);
  const { mode } = statSync(layout.dataDirectory);
  if ((mode & 0o011) !== 0o011) chmodSync(layout.dataDirectory, (mode & 0o7777) | 0o011);
  const closed = firstClosedFolder(layout.dataDirectory, account);
  if (closed === undefined) {
    giveFiles(layout, account);
    return account;
  }
  if (works(lastResort)) {
    giveFiles(layout, lastResort);
    return lastResort;
  }
  throw new EmbeddedPostgresError(
    `PostgreSQL does not run as root, so it would run as the user ${account.name}, who may not enter ${closed} ` +
      `on the way to the data folder ${layout.dataDirectory}. ` +
      'Name a data folder elsewhere (CALCULAUD_DATA=/var/lib/calculaud), start Calculaud as an ordinary user, ' +
      `or let others pass through that folder (chmod o+x ${closed}).`,
  );
}

/** Gives a file or folder to the account; does nothing unless we are root. */
export function own(path: string, { owner }: Account): void {
  if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
}

function giveFiles(layout: Layout, account: Account): void {
  own(layout.run, account);
  if (existsSync(layout.cluster) && ownerOf(layout.cluster)?.uid !== account.owner?.uid) {
    ownTree(layout.cluster, account);
  }
}

function ownTree(path: string, account: Account): void {
  own(path, account);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) ownTree(join(path, name), account);
}

function unprivilegedAccount(cluster: string): Account {
  const users = readUsers();
  const owner = ownerOf(cluster);
  if (owner !== undefined && owner.uid !== 0) {
    return accountOf(users.find(({ uid }) => uid === owner.uid)?.name ?? `number ${owner.uid}`, owner);
  }
  for (const wanted of ['calculaud', 'postgres', 'nobody']) {
    const user = users.find(({ name, uid }) => name === wanted && uid > 0);
    if (user !== undefined) return accountOf(user.name, user);
  }
  return accountOf('nobody', { uid: 65534, gid: 65534 });
}

function accountOf(name: string, { uid, gid }: Owner): Account {
  return { name, owner: { uid, gid }, uid, gid, wrapper: [] };
}

function ownerOf(path: string): Owner | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function assertOurs(cluster: string): void {
  const owner = ownerOf(cluster);
  if (owner === undefined || owner.uid === process.geteuid?.()) return;
  const name = readUsers().find(({ uid }) => uid === owner.uid)?.name ?? `number ${owner.uid}`;
  throw new EmbeddedPostgresError(
    `The database in ${cluster} belongs to the user ${name}, so PostgreSQL would not start it for you. ` +
      'Start Calculaud as that user or as root, or name another folder in CALCULAUD_DATA.',
  );
}

/** The highest folder that the account cannot pass; the kernel is asked, so that access lists count too. */
function firstClosedFolder(path: string, account: Account): string | undefined {
  if (works(account, path)) return undefined;
  const parent = dirname(path);
  return (parent === path ? undefined : firstClosedFolder(parent, account)) ?? path;
}

/** Can the account run a program, and may it enter the folder? */
function works(account: Account, path = '/'): boolean {
  const [program, args] = commandOf(account, '/bin/sh', ['-c', 'cd "$1"', 'sh', path]);
  const { uid, gid } = account;
  return (
    spawnSync(program, args, { uid, gid, cwd: '/', env: { PATH: '/usr/bin:/bin' }, stdio: 'ignore' })
      .status === 0
  );
}

function readUsers(): { name: string; uid: number; gid: number }[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 7)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}
