import { loadConfig } from '@calculaud/config/load';
import type { Environment } from '@calculaud/config/sources';
import { CommanderError } from 'commander';
import { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import { explainFailure } from './failures.ts';
import { buildProgram } from './program.ts';
import { EXIT } from './ui/exit-codes.ts';
import { type Streams, terminalOf } from './ui/terminal.ts';

const globalOptions = z.object({ json: z.boolean().default(false) });

/** Runs one command line and says how it ended. The only place where an error is caught. */
export async function run(
  line: readonly string[],
  streams: Streams,
  environment?: Environment,
): Promise<number> {
  let exitCode: number = EXIT.done;
  const output = { writeOut: streams.stdout, writeErr: streams.stderr };
  const program = buildProgram(packageJson.version, output, async (command, options, values) => {
    const { json } = globalOptions.parse(options);
    const { run: runCommand } = await command.load();
    exitCode = await runCommand({
      terminal: terminalOf(streams, json),
      config: () => loadConfig(environment),
      environment,
      options,
      arguments: values,
    });
  });
  try {
    await program.parseAsync(line, { from: 'user' });
    return exitCode;
  } catch (error) {
    const terminal = terminalOf(streams, line.includes('--json'));
    // Commander has already written to standard error what is wrong with the command line.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done;
      terminal.emit('error', { message: error.message, hint: null, exit_code: EXIT.refused });
      return EXIT.refused;
    }
    const failure = explainFailure(error);
    terminal.say(`${terminal.paint.red('Error:')} ${failure.message}`);
    if (failure.hint) terminal.say(failure.hint);
    terminal.emit('error', {
      message: failure.message,
      hint: failure.hint || null,
      exit_code: failure.exitCode,
    });
    return failure.exitCode;
  }
}
