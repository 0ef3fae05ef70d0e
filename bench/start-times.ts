import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { repository } from '../e2e/system.ts';

export interface StartTimes {
  readonly commit: string;
  readonly emptyCache: boolean;
  readonly firstSeconds: number;
  /** Every start after the first. */
  readonly laterSeconds: readonly number[];
  readonly loadAverage: number;
}

/** Clones the last commit and types `npm start` there: for the first time, and again. */
export async function measureStarts(
  { repeats, emptyCache }: { repeats: number; emptyCache: boolean },
  log: (line: string) => void,
): Promise<StartTimes> {
  const directory = mkdtempSync(join(tmpdir(), 'calculaud-start-'));
  try {
    const clone = join(directory, 'clone');
    execFileSync('git', ['clone', '--quiet', repository, clone]);
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: clone, encoding: 'utf8' });
    const environment = emptyCache ? { npm_config_cache: join(directory, 'npm-cache') } : {};
    const start = async () => {
      const seconds = await startOnce(clone, environment);
      log(`ready after ${seconds.toFixed(1)} s`);
      return seconds;
    };
    const firstSeconds = await start();
    const laterSeconds: number[] = [];
    while (laterSeconds.length < repeats) {
      laterSeconds.push(await start());
    }
    return {
      commit: commit.trim(),
      emptyCache,
      firstSeconds,
      laterSeconds,
      loadAverage: loadavg()[0] ?? Number.NaN,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The seconds from typing the command to the line that says it is ready; then it is stopped as Ctrl-C does. */
async function startOnce(clone: string, environment: Record<string, string>): Promise<number> {
  const begin = performance.now();
  const npm = spawn('npm', ['start'], {
    cwd: clone,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      PORT: '0',
      MANAGEMENT_PORT: '0',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
    // A terminal sends Ctrl-C to everything that was started there; so can we, then.
    detached: true,
  });
  const { pid } = npm;
  if (pid === undefined) {
    throw new Error('npm could not be started');
  }
  const exited = once(npm, 'exit');
  const lines: string[] = [];
  const ready = new Promise<number>((resolve, reject) => {
    createInterface({ input: npm.stderr })
      .on('line', (line) => {
        lines.push(line);
        if (/ is ready after /.test(line)) {
          resolve((performance.now() - begin) / 1000);
        }
      })
      .once('close', () => reject(new Error(`npm start ended before it was ready:\n${lines.join('\n')}`)));
  });
  try {
    return await ready;
  } finally {
    if (npm.exitCode === null) {
      process.kill(-pid, 'SIGINT');
    }
    await exited;
  }
}
