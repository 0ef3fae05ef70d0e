import type { Config } from '@calculaud/config/config';
import type { Database } from '@calculaud/db/database';
import type { Storage } from './storage.ts';

/** What every feature works with; made once at the start and handed down. */
export interface Services {
  readonly config: Config;
  readonly db: Database;
  /** The content of files. */
  readonly storage: Storage;
}
