import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';

/** Writes a small file so that it survives a power cut. */
export function writeDurably(path: string, content: string, mode: number): void {
  const file = openSync(path, 'w', mode);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes names created in, or renamed into, a folder survive a power cut. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
