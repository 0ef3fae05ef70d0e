import { type RawBuilder, sql } from 'kysely';

/**
 * What the links of one answer are made of. The key signs nothing but file ids for this one expiry, so that whoever
 * reads it in a log of SQL parameters can do nothing with it after that.
 */
export interface FileLinks {
  /** Scheme and host of the request. */
  readonly baseUrl: string;
  /** The path of the API. */
  readonly prefix: string;
  /** Unix time in seconds. */
  readonly expires: number;
  readonly key: string;
}

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
  return sql`${`${links.baseUrl}${links.prefix}/files/`}::text || ${id}
    || ${`/content?expires=${links.expires}&signature=`}::text
    || encode(hmac(${id}::text, ${links.key}::text, 'sha256'), 'hex')`;
}
