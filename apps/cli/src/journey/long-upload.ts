import { setTimeout as pause } from 'node:timers/promises';
import type { HttpRequest } from '../host/http-message.ts';
import { multipartAround } from './multipart.ts';

const CHUNK = Buffer.alloc(16 * 1024, 'a line of a long document, again and again\n');
const CHUNK_MS = 100;

export interface LongUpload {
  readonly request: Omit<HttpRequest, 'timeoutMs'>;
  /** Of the file, as the answer has to name it. */
  readonly bytes: number;
  /** Sends the rest without a pause. */
  hurry(): void;
}

/** A file that takes so many seconds on its way, as one does over a slow line. */
export function longUpload(path: string, token: string, seconds: number): LongUpload {
  const chunks = Math.max(1, Math.round((seconds * 1000) / CHUNK_MS));
  const { contentType, head, tail } = multipartAround('probe.txt', 'text/plain');
  const bytes = chunks * CHUNK.length;
  const hurry = new AbortController();
  async function* content(): AsyncGenerator<Buffer> {
    yield head;
    for (let sent = 0; sent < chunks; sent += 1) {
      yield CHUNK;
      await pause(CHUNK_MS, undefined, { signal: hurry.signal }).catch(() => undefined);
    }
    yield tail;
  }
  return {
    bytes,
    hurry: () => hurry.abort(),
    request: {
      method: 'POST',
      path,
      headers: { authorization: `Bearer ${token}`, 'content-type': contentType },
      body: { length: head.length + bytes + tail.length, chunks: content() },
      connection: 'new',
    },
  };
}
