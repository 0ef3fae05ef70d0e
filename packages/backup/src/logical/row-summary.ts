import { createHash, type Hash } from 'node:crypto';

const NEWLINE = 10;

/** Counts, measures and hashes rows on their way. COPY ends each with a line break, and writes those of values as \n. */
export class RowSummary {
  #rows = 0;
  #bytes = 0;
  readonly #hash: Hash = createHash('sha256');

  async *through(rows: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of rows) {
      this.#hash.update(chunk);
      this.#bytes += chunk.length;
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) this.#rows += 1;
      yield chunk;
    }
  }

  result(): { readonly rows: number; readonly bytes: number; readonly sha256: string } {
    return { rows: this.#rows, bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }
}
