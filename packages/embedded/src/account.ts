import { spawnSync } from 'node:child_process';
import { chmodSync, lchownSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EmbeddedPostgresError } from './failure.ts';
import type { Layout } from './layout.ts';

/** The user as whom PostgreSQL runs; empty when that is simply ourselves. */
export interface Account {
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly name?: string;
}

interface Passwd {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * PostgreSQL refuses to run as root. Started by root, it runs as the owner of the existing cluster, else as the user
 * calculaud or postgres if there is one, else as nobody.
 */
export function chooseAccount(layout: Layout): Account {
  if (process.geteuid?.() !== 0) return {};
  const users = readUsers();
  const owner = ownerOf(layout.cluster);
  if (owner !== undefined && owner.uid !== 0) {
    return { ...owner, name: users.find((user) => user.uid === owner.uid)?.name ?? String(owner.uid) };
  }
  for (const name of ['calculaud', 'postgres', 'nobody']) {
    const user = users.find((candidate) => candidate.name === name && candidate.uid > 0);
    if (user !== undefined) return user;
  }
  return { uid: 65534, gid: 65534, name: 'nobody' };
}

/** Gives the server's account what it must own, and makes sure that it gets there. */
export function prepareForAccount(layout: Layout, account: Account): void {
  if (account.uid === undefined || account.gid === undefined) return;
  const mode = statSync(layout.dataDirectory).mode;
  if (!(mode & 0o001)) chmodSync(layout.dataDirectory, (mode & 0o7777) | 0o011);
  const closed = firstClosedFolder(layout.dataDirectory, account);
  if (closed !== undefined) {
    throw new EmbeddedPostgresError(
      `PostgreSQL does not run as root, so it would run as the user ${account.name}, who may not enter ${closed} ` +
        `on the way to the data folder ${layout.dataDirectory}. ` +
        `Name a data folder elsewhere (CALCULAUD_DATA=/var/lib/calculaud), start Calculaud as an ordinary user, ` +
        `or let others pass through that folder (chmod o+x ${closed}).`,
    );
  }
  own(layout.run, account);
  if (ownerOf(layout.cluster)?.uid === 0) ownTree(layout.cluster, account);
}

export function own(path: string, account: Account): void {
  if (account.uid !== undefined && account.gid !== undefined) lchownSync(path, account.uid, account.gid);
}

function ownTree(path: string, account: Account): void {
  own(path, account);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) ownTree(join(path, name), account);
}

function ownerOf(path: string): { uid: number; gid: number } | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat && { uid: stat.uid, gid: stat.gid };
}

/** The highest folder that the account cannot pass; the kernel is asked, so that access lists count too. */
function firstClosedFolder(path: string, account: Account): string | undefined {
  if (canEnter(path, account)) return undefined;
  const parent = dirname(path);
  return (parent === path ? undefined : firstClosedFolder(parent, account)) ?? path;
}

function canEnter(path: string, { uid, gid }: Account): boolean {
  const shell = spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', path], {
    uid,
    gid,
    cwd: '/',
    env: {},
    stdio: 'ignore',
  });
  return shell.status === 0;
}

function readUsers(): Passwd[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 7)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}
