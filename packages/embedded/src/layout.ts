import { accessSync, constants, mkdirSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { codeOf, EmbeddedPostgresError, messageOf } from './failure.ts';

/** Where the embedded server keeps what, inside the data folder. */
export interface Layout {
  readonly dataDirectory: string;
  /** The cluster, PostgreSQL's own folder. */
  readonly cluster: string;
  /** The random secret from which the passwords of all roles are derived. */
  readonly secret: string;
  readonly log: string;
  /** Everything that may be deleted while nothing runs: lock, socket, links to libraries, copied binaries. */
  readonly run: string;
}

export function layoutOf(dataDirectory: string): Layout {
  return {
    dataDirectory,
    cluster: join(dataDirectory, 'postgres'),
    secret: join(dataDirectory, 'postgres.secret'),
    log: join(dataDirectory, 'postgres.log'),
    run: join(dataDirectory, 'run'),
  };
}

/** Creates the data folder if it is missing. Paths are real ones, so that two names of one folder are one folder. */
export function prepareDataDirectory(path: string): Layout {
  const wanted = resolve(path);
  try {
    // Started by root, the server runs as another user, who has to pass through folders that are made here.
    mkdirSync(wanted, { recursive: true, mode: process.geteuid?.() === 0 ? 0o711 : 0o700 });
    accessSync(wanted, constants.R_OK | constants.W_OK | constants.X_OK);
    const layout = layoutOf(realpathSync(wanted));
    mkdirSync(layout.run, { recursive: true, mode: 0o700 });
    return layout;
  } catch (error) {
    throw new EmbeddedPostgresError(
      `The data folder ${wanted} cannot be written: ${reasonOf(error, wanted)}. ` +
        'Make it writable for the user that starts Calculaud, or name another folder in CALCULAUD_DATA.',
    );
  }
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
    default:
      return messageOf(error);
  }
}
