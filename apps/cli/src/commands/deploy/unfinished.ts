import { EXIT, type ExitCode } from '../../ui/exit-codes.ts';
import type { Terminal } from '../../ui/terminal.ts';

export function nothingUnfinished(terminal: Terminal): ExitCode {
  terminal.say('No deployment is unfinished.');
  terminal.emit('deployment', { unfinished: false });
  return EXIT.done;
}
