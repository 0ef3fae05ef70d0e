import { CliError } from './cli-error.ts';
import { EXIT } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';

/** Asks before damage is done. Without a terminal nobody can answer, so `--yes` has to say it beforehand. */
export async function confirm(terminal: Terminal, question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!terminal.interactive) {
    throw new CliError(
      'This needs a confirmation, and there is no terminal to ask on. Nothing was changed.',
      'Add --yes to confirm it beforehand.',
      EXIT.refused,
    );
  }
  const prompts = await import('@clack/prompts');
  const answer = await prompts.confirm({ message: question, initialValue: false, output: process.stderr });
  if (prompts.isCancel(answer)) {
    throw new CliError('Interrupted. Nothing was changed.', '', EXIT.interrupted);
  }
  if (!answer) throw new CliError('Not confirmed. Nothing was changed.', '', EXIT.refused);
}
