import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { codeOf } from './failure.ts';

/** Does a process with this id run, whoever owns it? One that has ended and waits for its parent's notice does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
  return process.platform !== 'linux' || !['Z', 'X'].includes(statusFields(pid)[0] ?? 'X');
}

/**
 * A mark that tells a process from a later one with the same id: its start, in clock ticks since boot (Linux) or as a
 * date (elsewhere). Process ids come back quickly in containers, where the first process is always number 1.
 * '' when the system does not tell.
 */
export function startMarkOf(pid: number): string {
  try {
    if (process.platform === 'linux') {
      const start = statusFields(pid)[19];
      return start === undefined
        ? ''
        : `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${start}`;
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { LC_ALL: 'C' },
    }).trim();
  } catch {
    return '';
  }
}

/**
 * Tells a process from all others, of every machine, container and time: where its id counts, the id, and its start, in which
 * that of the machine is. Undefined where the system does not tell.
 */
export function identityOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const mark = startMarkOf(pid);
  return mark === '' ? undefined : [processSpace(), pid, mark].join(' ');
}

/** Whether a process certainly runs no more; false as well for those of other machines and containers, which nobody sees. */
export function isGone(identity: string): boolean {
  const [space, id, mark] = identity.split(' ');
  const [machine] = startMarkOf(process.pid).split('/');
  const isOurs = process.platform === 'linux' && space === processSpace() && mark?.split('/')[0] === machine;
  if (!isOurs) return false;
  const pid = Number(id);
  const markNow = startMarkOf(pid);
  return !isAlive(pid) || (markNow !== '' && markNow !== mark);
}

/** Which set of process ids we live in: containers have their own. */
export function processSpace(): string {
  return process.platform === 'linux' ? readlinkSync('/proc/self/ns/pid') : 'the only one';
}

/** Is this process a postmaster of that cluster? Its working directory is its cluster, by PostgreSQL's own doing. */
export function isPostmasterOf(pid: number, cluster: string): boolean {
  try {
    if (process.platform === 'linux') {
      return (
        readlinkSync(`/proc/${pid}/cwd`) === cluster &&
        readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres'
      );
    }
    const command = execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
    return command.includes('postgres') && command.includes(`-D ${cluster} `);
  } catch {
    // Gone, or of another user, to whom PostgreSQL would not give this cluster.
    return false;
  }
}

/** The processes of a cluster's server, found one by one; none where the system does not tell. */
export function processesOf(cluster: string): number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isPostmasterOf(pid, cluster));
}

/** The fields of /proc/<pid>/stat from the third (the state) on; none when the process is gone. */
function statusFields(pid: number): string[] {
  try {
    // The second field is the program's name in brackets and may hold blanks and brackets.
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return status.slice(status.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
