import { realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makeDataFolder, makeFolder, unusable } from './folder.ts';

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
  // Started by root, the server runs as another user, who has to pass through folders that are made here.
  makeDataFolder(wanted, process.geteuid?.() === 0 ? 0o711 : 0o700);
  try {
    const layout = layoutOf(realpathSync(wanted));
    makeFolder(layout.run, 0o700);
    return layout;
  } catch (error) {
    throw unusable(wanted, error);
  }
}
