import { createInterface } from 'node:readline';

/** What comes on standard input, line by line; leaving the loop lets go of it. */
export function linesOfStandardInput(): AsyncIterable<string> {
  return createInterface({ input: process.stdin });
}
