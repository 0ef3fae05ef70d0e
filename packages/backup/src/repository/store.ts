/**
 * Where a repository keeps its objects: a folder or an S3-compatible bucket. Keys are paths of lower-case letters, digits,
 * `.`, `-`, `_` and `/`. Objects are small (at most some tens of megabytes) and are never changed in place.
 */
export interface BackupStore {
  /** For people, as `file:///srv/backup` or `s3://bucket/prefix`; never with a secret. */
  readonly address: string;
  /**
   * Once it resolves, the object survives a crash of this machine and of the store, and whoever lists or reads sees all of
   * it. `ifAbsent`: resolves with false, and changes nothing, when the key is taken; two writers never both get true.
   */
  put(key: string, content: Uint8Array, options?: { readonly ifAbsent?: boolean }): Promise<boolean>;
  /** Undefined when there is no such object. Any other failure rejects: "could not be read" is never "is not there". */
  get(key: string): Promise<Buffer | undefined>;
  /** Everything below a prefix (which ends with `/`), in no order that may be relied on. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** It is no error when there is nothing. */
  delete(key: string): Promise<void>;
  close(): Promise<void>;
}

export interface StoredObject {
  readonly key: string;
  readonly size: number;
  readonly modified: Date;
}

const KEY = /^[a-z0-9_-][a-z0-9._-]*(\/[a-z0-9_-][a-z0-9._-]*)*$/i;

/** No part begins with a dot: such names are no objects, but what is half written, or a way out of the repository. */
export function isStoreKey(key: string): boolean {
  return KEY.test(key);
}

/** Throws for what no store takes: a mistake of ours, never one of the user. */
export function assertStoreKey(key: string): void {
  if (!isStoreKey(key)) throw new Error(`not a key of a store: ${key}`);
}
