import type { Config } from '@calculaud/config/config';
import type { Database, Executor } from '@calculaud/db/database';
import type { Storage } from './storage.ts';

/** What every feature works with; made once at the start and handed down. With an executor, what works in a transaction. */
export interface Services<Db extends Executor = Database> {
  readonly config: Config;
  readonly db: Db;
  /** The content of files. */
  readonly storage: Storage;
}
