import { mkdir, open, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BackupProblem } from '../repository/problem.ts';

/** Complete under its name and safe from a crash of the machine, or not there. */
export async function writeDurably(folder: string, name: string, content: Uint8Array): Promise<void> {
  const unfinished = join(folder, `${name}.unfinished`);
  try {
    const file = await open(unfinished, 'w', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, join(folder, name));
    await syncFolder(folder);
  } catch (error) {
    throw diskProblem(join(folder, name), error);
  }
}

export async function makeFolder(path: string): Promise<void> {
  try {
    const made = await mkdir(path, { recursive: true, mode: 0o700 });
    if (made !== undefined) await syncFolder(dirname(made));
    await syncFolder(dirname(path));
  } catch (error) {
    throw diskProblem(path, error);
  }
}

/** Which names there are in a folder, and what they stand for, is content of the folder. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** No room, or none for this user. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && FULL.has(String(error.code));
}

export function diskProblem(path: string, error: unknown): BackupProblem {
  if (error instanceof BackupProblem) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (FULL.has(code)) {
    return new BackupProblem(
      'full',
      `${path} cannot be written: the disk is full (${code}). Make room there; then it goes on by itself.`,
      { object: path, cause: error },
    );
  }
  const words = error instanceof Error ? error.message : String(error);
  return new BackupProblem(
    'unavailable',
    `${path} cannot be written: ${words}. Check the disk and the rights of the folder; then it goes on by itself.`,
    { object: path, cause: error },
  );
}
