import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('..', import.meta.url));

/** Whether the full counts of the bars are asked for, and not the small ones of every run. */
export const full = process.env['CALCULAUD_E2E'] === 'full';

/** What a program of ours gets of the tests' environment: not the switches of the tests, which it would refuse. */
export function bareEnvironment(): Record<string, string | undefined> {
  return { PATH: process.env['PATH'], HOME: process.env['HOME'] };
}

export interface System {
  readonly url: string;
  readonly managementUrl: string;
  readonly dataDirectory: string;
  readonly process: ChildProcess;
  /** What it has written to its terminal. */
  readonly output: () => string;
  /** As Ctrl-C does; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** As a crash does: the process is gone at once, its database server is left to itself. */
  kill(): Promise<void>;
}

export function newDataDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'calculaud-e2e-'));
}

export function removeDataDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}

/** Runs the built program as `npm start` does, on a data folder of its own and free ports; resolves when it is ready. */
export async function startSystem(
  dataDirectory: string,
  environment: Record<string, string> = {},
): Promise<System> {
  const child = spawn('sh', ['scripts/run.sh', 'start'], {
    cwd: repository,
    env: {
      ...bareEnvironment(),
      CALCULAUD_DATA: dataDirectory,
      PORT: '0',
      MANAGEMENT_PORT: '0',
      LOG_LEVEL: 'error',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-100_000);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const exited = once(child, 'exit').then(([code]) => (typeof code === 'number' ? code : null));
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (/ is ready after /.test(line)) {
        // The addresses stand in the lines right after it.
        setImmediate(resolve);
      }
    });
    void exited.then((code) =>
      reject(new Error(`the system ended with ${code} before it was ready:\n${output}`)),
    );
  });
  await ready;
  const address = async (label: string): Promise<string> => {
    for (;;) {
      const found = new RegExp(`${label}\\s+(http://[\\d.:]+)`).exec(output)?.[1];
      if (found) {
        return found;
      }
      await once(child.stderr, 'data');
    }
  };
  return {
    url: await address('Application'),
    managementUrl: await address('Health'),
    dataDirectory,
    process: child,
    output: () => output,
    stop: async () => {
      child.kill('SIGTERM');
      return exited;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** What a command of ours answers on standard output; throws with what it said when it fails. */
export async function calculaud(dataDirectory: string, ...args: string[]): Promise<string> {
  const child = spawn(join(repository, 'apps/cli/bin/calculaud'), args, {
    cwd: repository,
    env: { ...bareEnvironment(), CALCULAUD_DATA: dataDirectory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) {
    throw new Error(`calculaud ${args.join(' ')} exited ${code}: ${stderr}`);
  }
  return stdout.trim();
}

export async function adminToken(dataDirectory: string): Promise<string> {
  return calculaud(dataDirectory, 'token', 'create', '--role', 'admin', '--name', 'e2e');
}
