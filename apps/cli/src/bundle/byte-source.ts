/** Bytes that can be read at any place, any number of times: a file that stays open. */
export interface ByteSource {
  readonly size: number;
  /** Fewer bytes than asked for only where the source ends. */
  readonly read: (position: number, length: number) => Promise<Buffer>;
  /** The bytes from a position on, a piece at a time. */
  readonly stream: (position: number, length: number) => AsyncIterable<Buffer>;
}
