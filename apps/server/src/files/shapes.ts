import { type RawBuilder, sql } from 'kysely';
import type { Value } from '../platform/sql.ts';

/**
 * What the links of one answer are made of. The key signs nothing but file ids for this one expiry, so that whoever
 * reads it in a log of SQL parameters can do nothing with it after that.
 */
export interface FileLinks {
  /** The URL up to the id of the file. */
  readonly beforeId: Value<string>;
  /** The URL from there to the signature, which ends it. */
  readonly beforeSignature: Value<string>;
  readonly key: Value<string>;
}

/** Their texts, not the places of them in a statement. */
export type SignedLinks = { readonly [Part in keyof FileLinks]: string };

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
    'file_url', ${signedLink(row, links)}
  )`;
}

export function fileDownloadJson(row: string, links: FileLinks, expiresIn: number): RawBuilder<unknown> {
  return sql`json_build_object(
    'file_id', ${sql.ref(`${row}.id`)},
    'original_filename', ${sql.ref(`${row}.original_filename`)},
    'download_url', ${signedLink(row, links)},
    'expires_in', ${expiresIn}::integer
  )`;
}

function signedLink(row: string, links: FileLinks): RawBuilder<unknown> {
  const id = sql.ref(`${row}.id`);
  return sql`${links.beforeId}::text || ${id} || ${links.beforeSignature}::text
    || encode(hmac(${id}::text, ${links.key}::text, 'sha256'), 'hex')`;
}
