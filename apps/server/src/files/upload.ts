import { randomUUID } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Config } from '@calculaud/config/config';
import { text } from '@calculaud/contract/input';
import type { RequestContext } from '../platform/context.ts';
import { type Part, readParts } from '../platform/multipart.ts';
import { isOutOfRoom } from '../platform/overload.ts';
import { Problem } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import { InvalidInput } from '../platform/validation.ts';
import * as queries from './queries.ts';
import { contentDisposition, extensionOf } from './rules.ts';

/** An upload that takes longer than this is given up; what is left of it goes then. */
const MAX_UPLOAD_HOURS = 24;
/** What a form may hold around the file. */
const FORM_ALLOWANCE_BYTES = 1024 * 1024;

/**
 * Streams the file of the form into the store. When it resolves, the object is durable, and no file owns it yet:
 * whoever does not give it one calls `discardObject`.
 */
export async function receiveFile(
  services: Services,
  context: RequestContext,
  request: FastifyRequest,
): Promise<queries.StoredFile> {
  if (!/^multipart\/form-data\b/i.test(request.headers['content-type'] ?? '')) {
    throw refusedFile('missing', 'Field required');
  }
  const limit = limitOf(services.config);
  if (Number(request.headers['content-length'] ?? 0) > limit.bytes + FORM_ALLOWANCE_BYTES) {
    throw tooLarge(limit);
  }
  let received: queries.StoredFile | undefined;
  try {
    for await (const part of readParts(request)) {
      if (part.name === 'file' && !received) {
        received = await storePart(services, context, part, limit);
      }
    }
  } catch (error) {
    if (received) {
      await discardObject(services, context, received.s3_key);
    }
    throw error;
  }
  if (!received) {
    throw refusedFile('missing', 'Field required');
  }
  return received;
}

/** Removes the object unless a file owns it. When that fails now, the sweep does it later. */
export async function discardObject(
  { db, storage }: Services,
  { log }: Pick<RequestContext, 'log'>,
  key: string,
): Promise<void> {
  try {
    if (await queries.isUnowned(db, key)) {
      await storage.delete(key);
    }
  } catch (error) {
    log.warn({ err: error, key }, 'an object that no file owns stays until it is swept');
  }
}

async function storePart(
  services: Services,
  context: RequestContext,
  part: Part,
  limit: Limit,
): Promise<queries.StoredFile> {
  const { original_filename, mime_type } = describe(part);
  const key = `${services.storage.keyPrefix}${randomUUID()}${extensionOf(original_filename)}`;
  await queries.announceObject(services.db, key, MAX_UPLOAD_HOURS);

  const content = new Counted(part.content, limit);
  try {
    await services.storage.put(key, content, { contentDisposition: contentDisposition(original_filename) });
  } catch (error) {
    await discardObject(services, context, key);
    if (content.failure) {
      throw content.failure;
    }
    if (isOutOfRoom(error)) {
      throw error;
    }
    context.log.error({ err: error, key }, 'the file store failed');
    throw new Problem(
      'storage_failed',
      500,
      'Failed to upload file: the file store did not take it, and nothing was saved. Try again later',
    );
  }
  return { original_filename, mime_type, file_size: content.bytes, s3_key: key };
}

/** The content while it passes: how much it was, and why it ended early if it did. */
class Counted implements AsyncIterable<Buffer> {
  bytes = 0;
  failure: Error | undefined;
  readonly #content: AsyncIterable<Buffer>;
  readonly #limit: Limit;

  constructor(content: AsyncIterable<Buffer>, limit: Limit) {
    this.#content = content;
    this.#limit = limit;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    try {
      for await (const piece of this.#content) {
        this.bytes += piece.length;
        if (this.bytes > this.#limit.bytes) {
          throw tooLarge(this.#limit);
        }
        yield piece;
      }
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error));
      throw error;
    }
  }
}

function describe(part: Part): Pick<queries.StoredFile, 'original_filename' | 'mime_type'> {
  if (part.filename === undefined) {
    throw refusedFile('value_error', 'Expected a file, got a text field');
  }
  return {
    original_filename: parse(text({ min: 1, max: 255 }), part.filename),
    mime_type: parse(text({ min: 1, max: 100 }), part.contentType ?? 'application/octet-stream'),
  };
}

function parse(kind: ReturnType<typeof text>, input: string): string {
  const result = kind.safeParse(input);
  if (result.success) {
    return result.data;
  }
  const [issue] = result.error.issues;
  throw refusedFile('value_error', issue?.message ?? 'Invalid');
}

function refusedFile(type: string, msg: string): InvalidInput {
  return new InvalidInput([{ type, loc: ['body', 'file'], msg, input: null }]);
}

interface Limit {
  readonly bytes: number;
  readonly megabytes: number;
}

function limitOf({ files }: Config): Limit {
  return { megabytes: files.maxMegabytes, bytes: files.maxBytes };
}

function tooLarge({ megabytes }: Limit): Problem {
  return new Problem('too_large', 413, `File size exceeds maximum allowed size of ${megabytes} MB`);
}
