import type { Readable } from 'node:stream';

const LINES = 10;
const CHARACTERS = 4000;

/** Reads a stream to its end and keeps what came last, for the case that somebody has to be told why something failed. */
export function keepLastLines(stream: Readable): () => readonly string[] {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-CHARACTERS);
  });
  return () => lastLines(text);
}

export function lastLines(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .slice(-LINES);
}
