import { type FileHandle, mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { formatLsn, parseLsn, placeOf, SEGMENT_BYTES, segmentAt } from './lsn.ts';

/** The segment that is being received: on the disk of this machine before the server hears of it. */
export class WalFile {
  readonly segment: string;
  readonly path: string;
  readonly #start: bigint;
  readonly #file: FileHandle;
  #written = 0n;
  #synced = 0n;
  #syncing: Promise<void> | undefined;

  private constructor(path: string, segment: string, start: bigint, file: FileHandle) {
    this.path = path;
    this.segment = segment;
    this.#start = start;
    this.#file = file;
  }

  /** Begins the segment at its first byte; what was received of it before comes again. */
  static async begin(folder: string, timeline: number, start: bigint): Promise<WalFile> {
    const segment = segmentAt(timeline, start);
    const path = join(folder, segment);
    return new WalFile(path, segment, start, await open(`${path}.partial`, 'w', 0o600));
  }

  get end(): bigint {
    return this.#start + this.#written;
  }

  get synced(): bigint {
    return this.#start + this.#synced;
  }

  get full(): boolean {
    return this.#written === SEGMENT_BYTES;
  }

  /** Takes as much as fits; the number of bytes that it took. */
  async write(bytes: Buffer): Promise<number> {
    const size = Number(SEGMENT_BYTES - this.#written);
    const part = bytes.subarray(0, size);
    await this.#file.writev([part], Number(this.#written));
    this.#written += BigInt(part.length);
    return part.length;
  }

  /** Resolves when all that was written until now survives a crash of the machine. */
  async sync(): Promise<void> {
    // One at a time; who comes meanwhile wants what was written meanwhile, too.
    while (this.#syncing) await this.#syncing;
    if (this.#synced === this.#written) return;
    const upTo = this.#written;
    this.#syncing = this.#file.datasync();
    try {
      await this.#syncing;
      this.#synced = upTo;
    } finally {
      this.#syncing = undefined;
    }
  }

  /** Under its own name from now on. */
  async complete(): Promise<void> {
    await this.sync();
    await this.#file.close();
    await rename(`${this.path}.partial`, this.path);
    await syncFolder(dirname(this.path));
  }

  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      await this.#file.close();
    }
  }
}

export interface Received {
  readonly timeline: number;
  /** All before it was received once, and is here or was taken from here. */
  readonly lsn: bigint;
}

const POSITION = 'received.json';
const positionText = z.object({ timeline: z.int(), lsn: z.string() });

/** Up to where whole segments were received. Undefined: nothing yet, or nobody can tell any more. */
export async function readReceived(folder: string): Promise<Received | undefined> {
  const noted = await readNote(folder);
  // A segment may have been completed just before the note was to be written.
  const there = (await readdir(folder).catch(() => [])).flatMap((name) => placeOf(name) ?? []);
  const all = [
    ...(noted ? [noted] : []),
    ...there.map(({ timeline, start }) => ({ timeline, lsn: start + SEGMENT_BYTES })),
  ];
  return all.toSorted((a, b) => a.timeline - b.timeline || (a.lsn < b.lsn ? -1 : 1)).at(-1);
}

async function readNote(folder: string): Promise<Received | undefined> {
  try {
    const { timeline, lsn } = positionText.parse(JSON.parse(await readFile(join(folder, POSITION), 'utf8')));
    return { timeline, lsn: parseLsn(lsn) };
  } catch {
    return undefined;
  }
}

export async function writeReceived(folder: string, { timeline, lsn }: Received): Promise<void> {
  await writeDurably(folder, POSITION, Buffer.from(JSON.stringify({ timeline, lsn: formatLsn(lsn) })));
}

/** Complete under its name, or not there. */
export async function writeDurably(folder: string, name: string, content: Uint8Array): Promise<void> {
  const unfinished = join(folder, `${name}.unfinished`);
  const file = await open(unfinished, 'w', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, join(folder, name));
  await syncFolder(folder);
}

export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
