import type { FileStore } from '@calculaud/config/config';
import type { ObjectStore } from './object-store.ts';
import { localStorage } from './storage-local.ts';

/** The configured store of the content of files. */
export interface Storage extends ObjectStore {
  /** What the keys of new objects start with. */
  readonly keyPrefix: string;
  /** Fails with the reason when the store cannot be used, as it was seen at most ten seconds ago. */
  check(): Promise<void>;
}

/** Opens the configured store. It is not asked anything yet: the server starts while its store is away. */
export async function openStorage(store: FileStore): Promise<Storage> {
  if (store.kind === 'local') {
    return withCheck(localStorage(store.directory), '');
  }
  // The SDK of S3 is large; nobody loads it who keeps his files on disk.
  const { s3Storage } = await import('./storage-s3.ts');
  return withCheck(s3Storage(store), store.keyPrefix);
}

const CHECK_AGE_MS = 10_000;

function withCheck(store: ObjectStore, keyPrefix: string): Storage {
  let seen: { readonly at: number; readonly answer: Promise<void> } | undefined;
  return {
    ...store,
    keyPrefix,
    check: () => {
      if (seen === undefined || performance.now() - seen.at > CHECK_AGE_MS) {
        seen = { at: performance.now(), answer: store.probe() };
      }
      return seen.answer;
    },
  };
}
