import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Services } from '../platform/services.ts';
import * as queries from './queries.ts';
import { contentDisposition, extensionOf } from './rules.ts';

/** So long may whoever stored it take to give it an owner. */
const HOURS = 24;

/**
 * Stores a content that the system itself made. As with an upload the object is durable then, and no file owns it yet:
 * unless a row is written for it, together with striking it out of object_removal, it goes.
 */
export async function storeContent(
  { db, storage }: Pick<Services, 'db' | 'storage'>,
  file: { readonly name: string; readonly mime_type: string; readonly content: Buffer },
): Promise<queries.StoredFile> {
  const { name, mime_type, content } = file;
  const s3_key = `${storage.keyPrefix}${randomUUID()}${extensionOf(name)}`;
  await queries.announceObject(db, s3_key, HOURS);
  await storage.put(s3_key, Readable.from([content]), { contentDisposition: contentDisposition(name) });
  return { original_filename: name, mime_type, file_size: content.length, s3_key };
}
