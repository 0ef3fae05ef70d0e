import { run } from '../run.ts';

/** What a command left behind. */
export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The lines of standard output, as `--json` writes them. */
  readonly events: () => readonly unknown[];
}

/** Runs a command line in this process, with these variables only and nobody at the terminal. */
export async function calculaud(
  line: string | readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  const exitCode = await run(
    typeof line === 'string' ? line.split(' ').filter(Boolean) : line,
    {
      stdout: (text) => {
        stdout += text;
      },
      stderr: (text) => {
        stderr += text;
      },
      interactive: false,
      colours: false,
    },
    environment,
  );
  const events = (): unknown[] =>
    stdout
      .split('\n')
      .filter(Boolean)
      .map((text): unknown => JSON.parse(text));
  return { exitCode, stdout, stderr, events };
}
