import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { codeOf, EmbeddedPostgresError, messageOf } from './failure.ts';

/**
 * Makes a folder and those above it, and returns the uppermost that was missing. Node's own recursive call never returns
 * below a folder that takes no folders, such as /proc.
 */
export function makeFolder(path: string, mode: number): string | undefined {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.unshift(folder);
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode });
    } catch (error) {
      // Somebody else made it meanwhile, unless something is there that is no folder.
      const there = statSync(folder, { throwIfNoEntry: false });
      if (codeOf(error) !== 'EEXIST' || !there?.isDirectory()) throw error;
    }
  }
  // Says by itself that a file is in the way.
  if (!statSync(path).isDirectory()) mkdirSync(path);
  return missing[0];
}

/** Makes the data folder if it is missing, and refuses one that cannot be worked in. */
export function makeDataFolder(path: string, mode: number): void {
  try {
    makeFolder(path, mode);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unusable(path, error);
  }
}

export function unusable(path: string, error: unknown): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    `The data folder ${path} cannot be written: ${reasonOf(error, path)}. ` +
      'Make it writable for the user that starts Calculaud, or name another folder in CALCULAUD_DATA.',
  );
}

function reasonOf(error: unknown, path: string): string {
  switch (codeOf(error)) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EROFS':
      return 'the file system is read-only';
    case 'ENOSPC':
      return 'the disk is full';
    case 'ENOTDIR':
    case 'EEXIST':
      return `${path} or one of the folders above it (${dirname(path)}) is a file`;
    case 'ENOENT':
      return `no folder can be made in ${dirname(path)}`;
    default:
      return messageOf(error);
  }
}
