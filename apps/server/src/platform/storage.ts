import type { Readable } from 'node:stream';
import type { FileStore } from '@calculaud/config/config';
import { localStorage } from './storage-local.ts';

/** Where the content of files is kept, under keys that the database remembers. */
export interface ObjectStore {
  /**
   * Stores the whole content. Once it resolves, the object survives a crash of this machine or of the store. When it
   * rejects (also because reading the content failed) nothing is left under the key, as far as the store can be reached.
   */
  put(key: string, content: AsyncIterable<Uint8Array>, about: { contentDisposition: string }): Promise<void>;
  /** Undefined when there is no such object. The reader destroys the stream if he does not read to its end. */
  open(key: string, range?: ByteRange): Promise<StoredObject | undefined>;
  /** Removes the object and whatever an interrupted `put` left of it. It is no error when there is nothing. */
  delete(key: string): Promise<void>;
  /** Fails with the reason why the store cannot be used. */
  probe(): Promise<void>;
}

/** Both ends are included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface StoredObject {
  readonly stream: Readable;
  /** Of what the stream holds: of the range, if one was asked for. */
  readonly size: number;
}

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
