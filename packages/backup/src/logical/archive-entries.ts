import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { addAbortSignal, pipeline } from 'node:stream';
import { type Entry, extract } from 'tar-stream';
import { z } from 'zod';
import { BackupProblem } from '../repository/problem.ts';

const bytesOf = z.instanceof(Buffer);
/** Of what is read as a whole: far more than an export of a terabyte needs. */
const LARGEST_TEXT = 64 * 1024 * 1024;
/** Of tar-stream, and of the stream that it was reading for somebody. */
const CUT = /^Unexpected end of data|^Premature close|^Writable stream closed/;

export interface EntriesOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the file that were read since it was last called. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** The files of a tar, one after the other, each read to its end. */
export class ArchiveEntries {
  readonly #file: string;
  readonly #entries: AsyncIterator<Entry, undefined>;
  readonly #stop: () => void;
  readonly #sums: string[] = [];
  #current: Entry | undefined;

  constructor(file: string, { signal, onBytes }: EntriesOptions) {
    this.#file = file;
    const archive = extract();
    this.#entries = archive[Symbol.asyncIterator]();
    this.#stop = () => archive.destroy();
    const source = createReadStream(file);
    if (signal) addAbortSignal(signal, source);
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of source) {
        const bytes = bytesOf.parse(chunk);
        onBytes?.(bytes.length);
        yield bytes;
      }
    };
    // Whatever ends it early comes out where the entries are read.
    pipeline(counted, archive, () => undefined);
  }

  /** Of the file that comes next; undefined at the end. */
  get name(): string | undefined {
    return this.#current?.header.name;
  }

  /** Of what was read so far, as `sha256sum` prints them. */
  get sums(): string {
    return this.#sums.join('');
  }

  async advance(): Promise<void> {
    try {
      const { done = false, value } = await this.#entries.next();
      this.#current = done ? undefined : value;
    } catch (error) {
      throw this.#unreadable(error);
    }
    const { header } = this.#current ?? {};
    if (header && header.type !== 'file') {
      throw this.corrupt(header.name, `it is a ${header.type ?? 'thing'}, and no file`);
    }
  }

  /** What the next file holds; when it has been read to its end, the one after it is the next. */
  async *content(): AsyncGenerator<Buffer> {
    const entry = this.#current;
    if (entry === undefined) return;
    const hash = createHash('sha256');
    const parts = entry[Symbol.asyncIterator]();
    for (;;) {
      const part = await parts.next().catch((error: unknown) => {
        throw this.#unreadable(error);
      });
      if (part.done === true) break;
      const bytes = bytesOf.parse(part.value);
      hash.update(bytes);
      yield bytes;
    }
    this.#sums.push(`${hash.digest('hex')}  ${entry.header.name}\n`);
    await this.advance();
  }

  /** The next file as a whole, which has to be called so. */
  async text(name: string): Promise<string> {
    if (this.name !== name) {
      throw this.corrupt(name, this.name === undefined ? 'it is missing' : `${this.name} is in its place`);
    }
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of this.content()) {
      size += part.length;
      if (size > LARGEST_TEXT) throw this.corrupt(name, 'it is larger than it can be');
      parts.push(part);
    }
    return Buffer.concat(parts).toString('utf8');
  }

  close(): void {
    this.#stop();
  }

  corrupt(part: string, words: string, cause?: unknown): BackupProblem {
    return new BackupProblem(
      'corrupt',
      `${this.#file} is damaged or was cut off: ${part}: ${words}. Nothing of it was imported. Take another copy of this export, or the export before it.`,
      { object: part, cause },
    );
  }

  foreign(words: string, cause?: unknown): BackupProblem {
    return new BackupProblem(
      'foreign',
      `${this.#file} is no export of Calculaud: ${words}. Name a file that \`calculaud export\` wrote.`,
      { object: this.#file, cause },
    );
  }

  #unreadable(error: unknown): BackupProblem {
    const words = error instanceof Error ? error.message : String(error);
    if (error instanceof Error && 'syscall' in error) {
      const isAbsent = 'code' in error && error.code === 'ENOENT';
      return new BackupProblem(
        isAbsent ? 'missing' : 'unavailable',
        `${this.#file} cannot be read: ${words}. Check its name, the disk, and the rights of the file.`,
        { object: this.#file, cause: error },
      );
    }
    if (this.#current === undefined) return this.foreign(words, error);
    return this.corrupt(this.#current.header.name, CUT.test(words) ? 'the file ends here' : words, error);
  }
}
