import { createInterface } from 'node:readline';

/** Standard input, line by line. */
export interface StandardInput {
  readonly lines: AsyncIterator<string>;
  /** Lets go of it; a program whose input stays open would not end. */
  readonly close: () => void;
}

export function standardInput(): StandardInput {
  const reader = createInterface({ input: process.stdin });
  return {
    lines: reader[Symbol.asyncIterator](),
    close: () => {
      reader.close();
      process.stdin.destroy();
    },
  };
}
