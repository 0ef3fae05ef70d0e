import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { z } from 'zod';
import { bareEnvironment, repository } from '../system.ts';

/** The built program, as operators run it: compiling the sources takes seconds that are not the command's. */
const main = join(repository, 'apps/cli/dist/main.js');

const eventLine = z.looseObject({
  event: z.string(),
  /** Of a step: its number in the plan, and what it does. */
  step: z.string().optional(),
  kind: z.string().optional(),
});
export type CommandEvent = z.output<typeof eventLine> & {
  /** After the start of the command. */
  readonly seconds: number;
};

export interface Ended {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  /** From its start to its end. */
  readonly seconds: number;
  readonly events: readonly CommandEvent[];
  readonly stderr: string;
}

/** `calculaud … --json` in a process of its own, with the programs that it starts: what an operator has in his terminal. */
export interface RunningCommand {
  /** The first event that fits, as soon as it is written. Fails when the command ends without it. */
  readonly event: (fits: (event: CommandEvent) => boolean) => Promise<CommandEvent>;
  /** `kill -9`: of the command alone, which its docker clients outlive, or of everything in its terminal. */
  readonly kill: (whom: Whom) => Promise<void>;
  readonly ended: Promise<Ended>;
  /** Whether any of its processes is left. */
  readonly isThere: () => boolean;
}

export type Whom = 'the command' | 'its terminal';

export function startCommand(
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): RunningCommand {
  const startedAt = performance.now();
  // A process group of its own, as a shell gives it.
  const child = spawn(process.execPath, [main, '--json', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...bareEnvironment(), ...environment },
    detached: true,
  });
  const events: CommandEvent[] = [];
  const listeners = new Set<(event: CommandEvent) => void>();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = { ...eventLine.parse(JSON.parse(line)), seconds: secondsSince(startedAt) };
    events.push(event);
    for (const listener of listeners) listener(event);
  });
  const gone = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('exit', resolve);
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject).on('close', (exitCode) => {
      resolve({ exitCode, seconds: secondsSince(startedAt), events, stderr });
    });
  });
  const group = -(child.pid ?? Number.NaN);
  return {
    event: async (fits) => {
      const happened = events.find(fits);
      if (happened) return happened;
      return new Promise((resolve, reject) => {
        listeners.add((event) => {
          if (fits(event)) resolve(event);
        });
        void ended.then(({ exitCode, stderr: said }) => {
          reject(new Error(`It ended with ${exitCode} before what was waited for:\n${said.slice(-3000)}`));
        });
      });
    },
    kill: async (whom) => {
      if (whom === 'the command') child.kill('SIGKILL');
      else process.kill(group, 'SIGKILL');
      await gone;
    },
    ended,
    isThere: () => hasProcesses(child.pid),
  };
}

function secondsSince(moment: number): number {
  return (performance.now() - moment) / 1000;
}

/** By /proc, which tells those that have ended, and that nobody has collected yet, from those that live. */
function hasProcesses(group: number | undefined): boolean {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      try {
        const [state, , itsGroup] = readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ');
        return state !== 'Z' && Number(itsGroup) === group;
      } catch {
        // It ended while it was looked at.
        return false;
      }
    });
}

/** To its end. */
export async function runCommand(
  argv: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<Ended> {
  return startCommand(argv, environment).ended;
}
