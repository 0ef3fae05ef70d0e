import { type RawBuilder, sql } from 'kysely';
import type { FileLinks } from './links.ts';

/** The JSON of the file_attachment row of the given alias, with a signed link to its content. */
export function fileAttachmentJson(row: string, links: FileLinks): RawBuilder<unknown> {
  const id = sql.ref(`${row}.id`);
  return sql`json_build_object(
    'id', ${id},
    'file_id', ${id},
    'original_filename', ${sql.ref(`${row}.original_filename`)},
    'mime_type', ${sql.ref(`${row}.mime_type`)},
    'file_size', ${sql.ref(`${row}.file_size`)},
    's3_key', ${sql.ref(`${row}.s3_key`)},
    'uploaded_at', utc_iso(${sql.ref(`${row}.uploaded_at`)}),
    'file_url', ${`${links.baseUrl}${links.prefix}/files/`}::text || ${id}
      || ${`/content?expires=${links.expires}&signature=`}::text
      || encode(hmac(${id}::text, ${links.key}::text, 'sha256'), 'hex')
  )`;
}
