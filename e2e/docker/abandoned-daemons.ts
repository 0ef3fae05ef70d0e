import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isAlive, startMarkOf } from '@calculaud/embedded/processes';

export const FOLDER_PREFIX = 'calculaud-docker-';

/** Where Linux shows its control groups, in one tree or in one for each controller. */
const CONTROL_GROUPS = '/sys/fs/cgroup';

/** A run of the tests that was killed leaves its daemon running; the next run ends it and removes its folder. */
export async function removeAbandonedDaemons(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(FOLDER_PREFIX)) continue;
    const folder = join(tmpdir(), name);
    if (isAbandoned(folder)) await endDaemon(folder, { removeFolder: true });
  }
}

/** To be called before anything is started in a new folder. */
export function recordOwner(folder: string): void {
  writeFileSync(join(folder, 'owner'), `${process.pid}\n${startMarkOf(process.pid)}`);
}

function isAbandoned(folder: string): boolean {
  const file = join(folder, 'owner');
  if (!existsSync(file) || statSync(file).uid !== process.getuid?.()) return false;
  const [id, mark] = readFileSync(file, 'utf8').split('\n');
  const pid = Number(id);
  return !isAlive(pid) || startMarkOf(pid) !== mark;
}

/** To be called right after the first process of a daemon was started. */
export function recordDaemon(folder: string, pid: number): void {
  writeFileSync(join(folder, 'pid'), String(pid));
}

/** The process whose end is the end of the daemon of this folder, while it runs. */
export function daemonIn(folder: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return command.includes(`unix://${join(folder, 'sock')}`) ? pid : undefined;
  } catch {
    // No such file, or no such process.
    return undefined;
  }
}

/** Ends a daemon with all its containers; the kernel does the work, so that none of them can resist. */
export async function endDaemon(
  folder: string,
  { removeFolder }: { readonly removeFolder: boolean },
): Promise<void> {
  const pid = daemonIn(folder);
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  while (daemonIn(folder) !== undefined) await wait(10);
  await removeControlGroups(controlGroupOf(folder));
  if (removeFolder) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** The parent of the control groups of all containers of the daemon in this folder. */
export function controlGroupOf(folder: string): string {
  return FOLDER_PREFIX + createHash('sha256').update(folder).digest('hex').slice(0, 12);
}

async function removeControlGroups(name: string): Promise<void> {
  const trees = ['.', ...readdirSync(CONTROL_GROUPS)].map((tree) => join(CONTROL_GROUPS, tree, name));
  for (const tree of trees.filter((path) => existsSync(path))) {
    const groups = readdirSync(tree, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name));
    // The deepest first. A group can be removed once the last of its processes is gone, some moments after the first.
    for (const group of [tree, ...groups].toSorted((a, b) => b.length - a.length)) await removeGroup(group);
  }
}

async function removeGroup(path: string): Promise<void> {
  for (let attempt = 0; existsSync(path); attempt += 1) {
    try {
      rmdirSync(path);
    } catch (error) {
      if (attempt === 500) throw error;
      await wait(10);
    }
  }
}
