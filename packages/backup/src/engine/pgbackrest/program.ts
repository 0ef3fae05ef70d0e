import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { text } from 'node:stream/consumers';
import { BackupProblem, type BackupProblemKind } from '../../repository/problem.ts';
import { PROGRAM, STANZA } from './settings.ts';

/** As whom pgBackRest and its server run: PostgreSQL refuses root. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

export function accountForServer(): Account {
  if (process.geteuid?.() !== 0) return {};
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((one) => one.split(':'))
    .find(([name]) => name === 'postgres');
  if (line) return { uid: Number(line[2]), gid: Number(line[3]) };
  throw new BackupProblem(
    'impossible',
    'PostgreSQL does not run as root, and there is no user postgres. Run the command as the user of the server.',
  );
}

/** For the account alone, which may pass the folders on the way that had to be made. */
export function folderFor(account: Account, path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  mkdirSync(path, { recursive: true, mode: 0o700 });
  give(account, path);
}

export function fileFor(account: Account, path: string, content: string): void {
  folderFor(account, dirname(path));
  writeFileSync(path, content, { mode: 0o600 });
  give(account, path);
}

function give({ uid, gid }: Account, path: string): void {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
}

export interface Command {
  readonly program?: string | undefined;
  readonly name: string;
  readonly options: readonly string[];
  readonly configuration: string;
  readonly account: Account;
  readonly signal?: AbortSignal;
  /** Where passwords for the database are: it asks nobody. */
  readonly passwords?: string;
}

const PATHS = '/usr/bin:/usr/local/bin:/bin';

/** What it writes, once it has ended well; else the reason in its words and ours. */
export async function pgBackRest(command: Command): Promise<string> {
  const { program = PROGRAM, name, options, configuration, account, signal, passwords } = command;
  signal?.throwIfAborted();
  const child = spawn(program, [`--config=${configuration}`, `--stanza=${STANZA}`, name, ...options], {
    ...account,
    cwd: '/',
    env: { PATH: PATHS, LC_ALL: 'C.UTF-8', ...(passwords !== undefined && { PGPASSFILE: passwords }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = () => {
    child.kill('SIGTERM');
  };
  signal?.addEventListener('abort', end);
  try {
    const [out, said, code] = await Promise.all([text(child.stdout), text(child.stderr), ended(child)]);
    signal?.throwIfAborted();
    if (code === 0) return out;
    throw refusal(name, said, code);
  } finally {
    signal?.removeEventListener('abort', end);
  }
}

async function ended(child: ChildProcess): Promise<number> {
  try {
    await once(child, 'exit');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new BackupProblem(
        'impossible',
        'pgBackRest is not installed on this machine, and CALCULAUD_BACKUP_ENGINE is pgbackrest. Install the package pgbackrest, or use the native engine.',
        { object: PROGRAM, cause: error },
      );
    }
    throw error;
  }
  return child.exitCode ?? -1;
}

/** By the code in its message (build/error.yaml of pgBackRest). */
const KINDS: Readonly<Record<string, readonly [kind: BackupProblemKind, advice: string]>> = {
  // A text that was opened with another key is no text.
  '029': [
    'wrong-key',
    'Is it damaged, or CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE not the one of this repository?',
  ],
  '031': [
    'wrong-key',
    'Is it damaged, or CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE not the one of this repository?',
  ],
  '026': ['corrupt', ''],
  '028': ['foreign', 'The repository is of another cluster: give each its own.'],
  '039': ['full', 'Make room, and try again.'],
  '050': ['busy', 'Another pgBackRest is at work; try again when it has ended.'],
  '051': ['foreign', 'The repository is of another cluster: give each its own.'],
  '055': ['missing', 'Is the address of the repository right, and was a backup made there?'],
  '056': ['unavailable', 'Does the server run, and may this user connect to its socket?'],
  '057': ['unavailable', 'May this role be backed up from (pg_backup_start, pg_switch_wal)?'],
  '075': ['missing', 'Look at calculaud backup list.'],
  '082': [
    'unavailable',
    'The log did not come to the repository: look at the log of the server for what its archive_command says.',
  ],
  '087': ['impossible', 'Set archive_mode and archive_command of the server (docs/operations/backup.md).'],
};

/** The others run when the repository was opened: the passphrase is right then. */
const FIRST_TO_OPEN: ReadonlySet<string> = new Set(['stanza-create', 'backup']);

export function refusal(name: string, said: string, code: number): BackupProblem {
  const [, number = '', words = ''] = /ERROR: \[(\d+)\]: ([\s\S]*)/.exec(said) ?? [];
  const [likely, hint] = KINDS[number] ?? ['unavailable', ''];
  const kind = likely === 'wrong-key' && !FIRST_TO_OPEN.has(name) ? 'corrupt' : likely;
  const advice =
    kind === 'corrupt'
      ? 'See what is damaged with calculaud backup verify, and restore another backup.'
      : hint;
  // The second line on are attempts and hints, and bytes of a file that could not be read.
  const first = printable(words.split('\n')[0] ?? '') || `it ended with ${code}`;
  return new BackupProblem(kind, `pgBackRest could not do "${name}": ${first}. ${advice}`.trim(), {
    object: /'(\/[^']+)'/.exec(first)?.[1] ?? name,
    cause: new Error(printable(said)),
  });
}

function printable(said: string): string {
  return said.replaceAll(/[^\P{C}\n]|\uFFFD/gu, '').replace(/[.:]$/, '');
}
