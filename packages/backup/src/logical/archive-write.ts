import { createHash } from 'node:crypto';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';
import {
  type ExportedTable,
  type ExportManifest,
  exportManifest,
  MANIFEST,
  partName,
  README,
  readmeText,
  SUMS,
} from './manifest.ts';
import { RowSummary } from './row-summary.ts';

const compress = promisify(gzip);
/** The processors are for the live system. */
const LEVEL = 1;
/** A file of a tar begins with its size, so its content has to be in memory: rows of about so many bytes at a time. */
const PART_BYTES = 4 * 1024 * 1024;
const NEWLINE = 10;

/** What `addTable` finds out. */
export type WrittenTable = Pick<ExportedTable, 'rows' | 'bytes' | 'sha256' | 'parts'>;

export interface ArchiveWriter {
  /** The rows as COPY writes them. */
  addTable(name: string, rows: AsyncIterable<Buffer>): Promise<WrittenTable>;
  /** The last thing: an archive without it is not complete. */
  finish(manifest: ExportManifest): Promise<void>;
}

/** Writes an archive front to back, at the speed of whoever takes it; ends `out` when all is written. */
export async function writeArchive<T>(
  out: Writable,
  { takenAt, signal }: { readonly takenAt: Date; readonly signal?: AbortSignal | undefined },
  work: (writer: ArchiveWriter) => Promise<T>,
): Promise<T> {
  const archive = pack();
  const failures: unknown[] = [];
  // Whichever side fails first is the reason; it ends the other one.
  const fail = (error: unknown): undefined => {
    failures.push(error);
    archive.destroy();
    return undefined;
  };
  const produce = async (): Promise<{ readonly value: T }> => {
    const writer = new TarWriter(archive, takenAt);
    await writer.begin();
    const value = await work(writer);
    archive.finalize();
    return { value };
  };
  const [result] = await Promise.all([
    produce().catch(fail),
    pipeline(archive, out, signal ? { signal } : {}).catch(fail),
  ]);
  if (result === undefined || failures.length > 0) throw failures[0];
  return result.value;
}

class TarWriter implements ArchiveWriter {
  readonly #archive: Pack;
  readonly #takenAt: Date;
  readonly #sums: string[] = [];

  constructor(archive: Pack, takenAt: Date) {
    this.#archive = archive;
    this.#takenAt = takenAt;
  }

  async begin(): Promise<void> {
    await this.#add(README, Buffer.from(readmeText(this.#takenAt.toISOString())));
  }

  async addTable(name: string, rows: AsyncIterable<Buffer>): Promise<WrittenTable> {
    const summary = new RowSummary();
    let part = 0;
    for await (const text of inParts(summary.through(rows))) {
      part += 1;
      await this.#add(partName({ table: name, part }), await compress(text, { level: LEVEL }));
    }
    return { ...summary.result(), parts: part };
  }

  async finish(manifest: ExportManifest): Promise<void> {
    const text = JSON.stringify(exportManifest.parse(manifest), null, 1);
    await this.#add(MANIFEST, Buffer.from(`${text}\n`));
    await this.#add(SUMS, Buffer.from(this.#sums.join('')));
  }

  async #add(name: string, content: Buffer): Promise<void> {
    this.#sums.push(`${createHash('sha256').update(content).digest('hex')}  ${name}\n`);
    await new Promise<void>((resolve, reject) => {
      this.#archive.entry({ name, mode: 0o600, mtime: this.#takenAt }, content, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }
}

/** Cuts at the ends of rows, so that each part can be read by itself. */
async function* inParts(rows: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let size = 0;
  for await (const chunk of rows) {
    const cut = size + chunk.length < PART_BYTES ? 0 : chunk.lastIndexOf(NEWLINE) + 1;
    if (cut > 0) {
      yield Buffer.concat([...waiting, chunk.subarray(0, cut)]);
      waiting = [];
      size = 0;
    }
    waiting.push(chunk.subarray(cut));
    size += chunk.length - cut;
  }
  if (size > 0) yield Buffer.concat(waiting);
}
