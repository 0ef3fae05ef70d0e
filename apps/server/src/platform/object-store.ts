import type { Readable } from 'node:stream';

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
