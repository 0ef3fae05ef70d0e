import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const INTERVAL_MS = existsSync('/proc/self/status') ? 20 : 200;

/** The memory of a process that is really in use, in MB of 1,000,000 bytes. */
export function residentMegabytes(pid: number): number {
  const kibibytes = existsSync(`/proc/${pid}/status`)
    ? /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
  return (Number(kibibytes) * 1024) / 1_000_000;
}

export interface Peak<Result> {
  readonly result: Result;
  readonly before: number;
  readonly peak: number;
}

/** How much memory a process has before the work, and at most while it is done. */
export async function peakWhile<Result>(pid: number, work: () => Promise<Result>): Promise<Peak<Result>> {
  const before = residentMegabytes(pid);
  let peak = before;
  const sample = () => {
    peak = Math.max(peak, residentMegabytes(pid));
  };
  const timer = setInterval(sample, INTERVAL_MS);
  try {
    const result = await work();
    sample();
    return { result, before, peak };
  } finally {
    clearInterval(timer);
  }
}
