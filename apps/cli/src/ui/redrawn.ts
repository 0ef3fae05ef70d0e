import { setTimeout as pause } from 'node:timers/promises';
import type { Terminal } from './terminal.ts';

const PAUSE_MS = 2000;

/** Draws a screen again and again, on a page of its own, until the signal; the last one stays behind. */
export async function redrawn(
  terminal: Terminal,
  draw: () => Promise<string>,
  signal: AbortSignal,
): Promise<void> {
  let last = '';
  terminal.print(OTHER_PAGE);
  try {
    while (!signal.aborted) {
      last = await draw();
      terminal.print(page(last, terminal.size()?.rows ?? Infinity));
      await pause(PAUSE_MS, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    terminal.print(`${FIRST_PAGE}${last}`);
  }
}

const OTHER_PAGE = '\u001B[?1049h';
const FIRST_PAGE = '\u001B[?1049l';
const HOME = '\u001B[H';
const CLEAR_LINE = '\u001B[K';
const CLEAR_BELOW = '\u001B[J';
const NO_WRAPPING = '\u001B[?7l';
const WRAPPING = '\u001B[?7h';

/** The text over what was there before, without a flash in between; what does not fit is cut off. */
export function page(text: string, rows: number): string {
  const lines = text.split('\n').slice(0, rows - 1);
  return `${HOME}${NO_WRAPPING}${lines.map((line) => `${line}${CLEAR_LINE}`).join('\n')}${WRAPPING}${CLEAR_BELOW}`;
}
