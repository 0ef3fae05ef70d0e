import type { Terminal } from './terminal.ts';

/** How often somebody who waits wants to hear something. */
const PAUSE_MS = 3000;

/** Tells how far long work on many bytes has come: a line every few seconds, and nothing when it is done sooner. */
export function progressOf(terminal: Terminal, what: string, total: number): (bytes: number) => void {
  let done = 0;
  let told = performance.now();
  return (bytes) => {
    done += bytes;
    if (performance.now() - told < PAUSE_MS) return;
    told = performance.now();
    const percent = total === 0 ? 100 : Math.min(100, Math.floor((done / total) * 100));
    terminal.say(`  ${what}: ${percent} % of ${inMegabytes(total)}`);
    terminal.emit('progress', { what, done, total });
  };
}

export function inMegabytes(bytes: number): string {
  return bytes < 100_000 ? `${bytes} bytes` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
