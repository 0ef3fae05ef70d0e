import type { Readable } from 'node:stream';
import type { RequestContext } from '../platform/context.ts';
import { notFound, Problem } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import type { ByteRange, StoredObject } from '../platform/object-store.ts';
import { validityOf } from './links.ts';
import * as queries from './queries.ts';
import { contentHeaders, requestedRange } from './rules.ts';

export interface ContentRequest {
  readonly expires?: string | undefined;
  readonly signature?: string | undefined;
  readonly disposition: 'attachment' | 'inline';
  /** The headers of these names. */
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
}

export interface Content {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly stream: Readable;
}

/** What the link leads to. The caller reads the stream or destroys it. */
export async function openContent(
  services: Services,
  context: RequestContext,
  id: number,
  request: ContentRequest,
): Promise<Content> {
  const seconds = validityOf(services, id, request);
  if (seconds === 0) {
    throw new Problem('link_refused', 403, 'This link has expired or is not one of ours: get a new one');
  }
  const file = await queries.findFile(services.db, id);
  if (!file) {
    throw notFound('File', id);
  }
  // The content under an id never changes.
  const etag = `"file-${id}"`;
  const wanted = (request.ifRange ?? etag) === etag ? request.range : undefined;
  const range = requestedRange(wanted, file.file_size);
  if (range === 'unsatisfiable') {
    throw new Problem('range_unsatisfiable', 416, 'The file ends before the range that was asked for', {
      'content-range': `bytes */${file.file_size}`,
    });
  }
  const { stream, size } = await openObject(services, context, id, file, range === 'all' ? undefined : range);
  return {
    stream,
    status: range === 'all' ? 200 : 206,
    headers: {
      ...contentHeaders(file, request.disposition),
      'content-length': String(size),
      'accept-ranges': 'bytes',
      ...(range === 'all' ? {} : { 'content-range': `bytes ${range.start}-${range.end}/${file.file_size}` }),
      etag,
      'cache-control': `private, max-age=${seconds}, immutable`,
    },
  };
}

async function openObject(
  { storage }: Services,
  { log }: RequestContext,
  id: number,
  file: queries.StoredFile,
  range: ByteRange | undefined,
): Promise<StoredObject> {
  let object: StoredObject | undefined;
  try {
    object = await storage.open(file.s3_key, range);
  } catch (error) {
    log.error({ err: error, key: file.s3_key }, 'the file store failed');
    throw new Problem(
      'storage_failed',
      503,
      'Failed to read file: the file store does not answer. Try again later',
    );
  }
  if (!object) {
    log.error({ file: id, key: file.s3_key }, 'the store has no content for this file');
    throw new Problem(
      'content_missing',
      404,
      `The content of the file with ID ${id} was not found in the store`,
    );
  }
  return object;
}
