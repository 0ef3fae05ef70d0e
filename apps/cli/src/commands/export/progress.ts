import { progressOf } from '../../ui/progress.ts';
import type { Terminal } from '../../ui/terminal.ts';

/** As `progressOf`, for work that says how much is done of how much; nothing is known of it before it begins. */
export function progressTo(terminal: Terminal, what: string): (done: number, total: number) => void {
  let tell: ((more: number) => void) | undefined;
  let before = 0;
  return (done, total) => {
    tell ??= progressOf(terminal, what, total);
    tell(done - before);
    before = done;
  };
}
