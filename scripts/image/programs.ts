import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const repository = fileURLToPath(new URL('../..', import.meta.url));

interface Options {
  readonly cwd?: string;
  readonly input?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** What a program prints. */
export function output(program: string, args: readonly string[], options: Options = {}): string {
  return run(program, args, options, 'pipe');
}

/** Lets a program talk to the one who waits for it. */
export function show(program: string, args: readonly string[], options: Options = {}): void {
  run(program, args, options, 2);
}

function run(
  program: string,
  args: readonly string[],
  { cwd = repository, input, environment }: Options,
  stdout: 'pipe' | 2,
): string {
  const result = spawnSync(program, args, {
    cwd,
    input,
    env: { ...process.env, ...environment },
    stdio: [input === undefined ? 'ignore' : 'pipe', stdout, 'inherit'],
    encoding: 'utf8',
    maxBuffer: 256e6,
  });
  if (result.error) throw new Error(`${program} cannot be run: ${result.error.message}`);
  if (result.status !== 0) {
    throw new Error(`${program} ${args.slice(0, 2).join(' ')} … failed (${result.status ?? result.signal}).`);
  }
  return stdout === 'pipe' ? result.stdout : '';
}
