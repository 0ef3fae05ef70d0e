import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { bareEnvironment, repository } from '../system.ts';

export interface Typed {
  readonly exitCode: number | null;
  /** On the terminal, both streams. */
  readonly said: string;
}

/** What an operator types on the machine of this data folder. */
export async function typed(dataFolder: string, ...args: readonly string[]): Promise<Typed> {
  return typedWith({ CALCULAUD_DATA: dataFolder }, ...args);
}

export async function typedWith(
  environment: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<Typed> {
  const child = spawn(join(repository, 'apps/cli/bin/calculaud'), args, {
    cwd: repository,
    env: { ...bareEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, exitCode] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { exitCode, said: `${stdout}${stderr}` };
}
