import {
  copyFileSync,
  existsSync,
  fstatSync,
  openSync,
  readSync,
  closeSync,
  statSync,
  truncateSync,
} from 'node:fs';

const LARGEST = 16 * 1024 * 1024;
const CHECKED_EVERY = 60_000;
/** Statements are logged as they are, and may fill the screen of whoever reads the message. */
const LONGEST_LINE = 500;

/** The last lines of the server's log, for the message of a failure. `from` leaves out what is older than this start. */
export function lastLines(path: string, from = 0, count = 12): string {
  if (!existsSync(path)) return '(there is no log)';
  const file = openSync(path, 'r');
  try {
    const size = fstatSync(file).size;
    const start = Math.max(Math.min(from, size), size - 16_384);
    const buffer = Buffer.alloc(size - start);
    readSync(file, buffer, 0, buffer.length, start);
    return buffer.toString('utf8').trimEnd().split('\n').slice(-count).map(clipped).join('\n');
  } finally {
    closeSync(file);
  }
}

function clipped(line: string): string {
  return line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)} …` : line;
}

/**
 * Keeps the log below twice 16 MB: the server appends to one open file, which is copied beside and emptied when it has
 * grown. The few lines written in between are lost.
 */
export function keepLogSmall(path: string): NodeJS.Timeout {
  const check = (): void => {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < LARGEST) return;
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
  };
  check();
  return setInterval(check, CHECKED_EVERY).unref();
}
