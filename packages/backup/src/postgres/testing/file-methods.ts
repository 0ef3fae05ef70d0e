import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';

/** The part of a file of Node that tests stand in for. */
export interface FileMethods {
  datasync(): Promise<void>;
  sync(): Promise<void>;
  write(
    bytes: Buffer,
    from: number,
    length: number,
    at: number,
  ): Promise<{ readonly bytesWritten: number; readonly buffer: Buffer }>;
  writev(parts: readonly Buffer[], at: number): Promise<unknown>;
}

/** What all files of this process share, so that a test can let a disk fail or be slow. */
export async function fileMethods(): Promise<FileMethods> {
  const file = await open(tmpdir(), 'r');
  await file.close();
  const methods: unknown = Object.getPrototypeOf(file);
  if (!areMethods(methods)) throw new Error('files of this version of Node are others');
  return methods;
}

function areMethods(value: unknown): value is FileMethods {
  return typeof value === 'object' && value !== null && 'datasync' in value && 'writev' in value;
}
