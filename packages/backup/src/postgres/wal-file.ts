import { constants } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BackupProblem } from '../repository/problem.ts';
import { diskProblem, syncFolder } from './durable-file.ts';
import { SEGMENT_BYTES, segmentAt } from './lsn.ts';

const SIZE = Number(SEGMENT_BYTES);

/** Of the segment that is being received; without it the segment is complete. */
export const PARTIAL = '.partial';

/**
 * The segment that is being received. It comes from its first byte on, also when there is a part of it already: that one is
 * compared with what comes, and is never shorter meanwhile than it was, since it may be the only copy if the server dies now.
 */
export class WalFile {
  readonly segment: string;
  /** Once it is complete. */
  readonly path: string;
  readonly #start: bigint;
  readonly #file: FileHandle;
  /** What is in the file from before, and has not come again yet. */
  #size: number;
  #written = 0;
  #synced = 0;
  #syncing: Promise<void> | undefined;
  #failure: BackupProblem | undefined;

  private constructor(folder: string, segment: string, start: bigint, file: FileHandle, size: number) {
    this.path = join(folder, segment);
    this.segment = segment;
    this.#start = start;
    this.#file = file;
    this.#size = size;
  }

  /** `trusted`: what is in the file may be taken for written; not after a sync of it has failed. */
  static async open(
    folder: string,
    { timeline, start, trusted }: { timeline: number; start: bigint; trusted: boolean },
  ): Promise<WalFile> {
    const segment = segmentAt(timeline, start);
    const path = join(folder, `${segment}${PARTIAL}`);
    try {
      const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
      const { size } = await file.stat();
      if (size === 0) await syncFolder(folder);
      return new WalFile(folder, segment, start, file, trusted ? Math.min(size, SIZE) : 0);
    } catch (error) {
      throw diskProblem(path, error);
    }
  }

  get end(): bigint {
    return this.#start + BigInt(this.#written);
  }

  /** All before it survives a crash of this machine. */
  get syncedEnd(): bigint {
    return this.#start + BigInt(this.#synced);
  }

  get full(): boolean {
    return this.#written === SIZE;
  }

  /** A sync has failed: nobody can tell any more what of the file is on the disk. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Takes as much as fits; the number of bytes that it took. */
  async write(bytes: Buffer): Promise<number> {
    const part = bytes.subarray(0, SIZE - this.#written);
    try {
      const same = await this.#compare(part);
      for (let done = same; done < part.length; ) {
        const { bytesWritten } = await this.#file.write(part, done, part.length - done, this.#written + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw diskProblem(this.path, error);
    }
    this.#written += part.length;
    return part.length;
  }

  /** How many of these bytes are in the file already. What follows a difference is of no log, and goes. */
  async #compare(part: Buffer): Promise<number> {
    const known = Math.min(part.length, Math.max(this.#size - this.#written, 0));
    if (known === 0) return 0;
    const { buffer, bytesRead } = await this.#file.read(Buffer.alloc(known), 0, known, this.#written);
    if (bytesRead === known && buffer.equals(part.subarray(0, known))) return known;
    await this.#file.truncate(this.#written);
    this.#size = this.#written;
    return 0;
  }

  /** Resolves when all that was written until now survives a crash of the machine. */
  async sync(): Promise<void> {
    // One at a time; who comes meanwhile wants what was written meanwhile, too.
    while (this.#syncing) await this.#syncing;
    // The system tells of lost writes once: a later sync that succeeds says nothing about them.
    if (this.#failure) throw this.#failure;
    if (this.#synced === this.#written) return;
    this.#syncing = this.#syncUpTo(this.#written);
    try {
      await this.#syncing;
    } finally {
      this.#syncing = undefined;
    }
  }

  async #syncUpTo(position: number): Promise<void> {
    try {
      await this.#file.datasync();
      this.#synced = position;
    } catch (error) {
      this.#failure = diskProblem(this.path, error);
      throw this.#failure;
    }
  }

  /** Under its own name from now on. */
  async complete(): Promise<void> {
    await this.sync();
    try {
      await rename(`${this.path}${PARTIAL}`, this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw diskProblem(this.path, error);
    }
    await this.#file.close();
  }

  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      await this.#file.close();
    }
  }
}
