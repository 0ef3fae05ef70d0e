import { existsSync, readFileSync } from 'node:fs';

/** Linux counts in hundredths of a second for every program. */
const MS_PER_TICK = 10;

/** The time that a process has computed, all its threads together, in milliseconds; undefined where it cannot be read. */
export function processorTime(pid: number): number | undefined {
  if (!existsSync(`/proc/${pid}/stat`)) {
    return undefined;
  }
  // After the name, which may have blanks: the fields from the third on (proc(5): utime is 14, stime 15).
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}
