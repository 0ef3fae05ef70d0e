import { z } from 'zod';
import { endpoint } from './endpoint.ts';
import { boolean, id, oneOf, paging, search, text } from './input.ts';
import * as out from './output.ts';

export const fileAttachment = z
  .object({
    id: out.id,
    /** Always equal to `id`. */
    file_id: out.id,
    original_filename: z.string(),
    mime_type: z.string(),
    file_size: z.int(),
    s3_key: z.string(),
    uploaded_at: out.dateTime,
    /** A signed link to the content; it works for a limited time. */
    file_url: z.url(),
  })
  .meta({ id: 'FileAttachment' });

const fileDownload = z
  .object({
    file_id: out.id,
    original_filename: z.string(),
    /** The same link as the `file_url` of a FileAttachment. */
    download_url: z.url(),
    /** For how many seconds the link works at least. */
    expires_in: z.int(),
  })
  .meta({ id: 'FileDownload' });

/** A multipart form whose field `file` is the file. The server streams it and does not use this schema. */
const upload = z.object({ file: z.file() });

export const listFiles = endpoint({
  id: 'files.list',
  method: 'GET',
  path: '/files/',
  summary: 'List files, newest first',
  description: 'With `is_linked=false` those that no purpose and no supplier uses.',
  permission: 'files.read',
  query: z.object({ ...paging, search, is_linked: boolean().optional() }),
  success: { status: 200, body: out.page(fileAttachment) },
});

export const uploadFile = endpoint({
  id: 'files.upload',
  method: 'POST',
  path: '/files/upload',
  summary: 'Store a file that belongs to nothing yet',
  permission: 'files.write',
  body: upload,
  bodyType: 'multipart',
  success: { status: 201, body: fileAttachment },
  errors: [413],
});

const file = z.object({ file_id: id() });

export const getFile = endpoint({
  id: 'files.get',
  method: 'GET',
  path: '/files/{file_id}',
  summary: 'A link to download the file',
  permission: 'files.read',
  params: file,
  success: { status: 200, body: fileDownload },
  errors: [404],
});

export const deleteFile = endpoint({
  id: 'files.delete',
  method: 'DELETE',
  path: '/files/{file_id}',
  summary: 'Delete a file from everything it is attached to',
  permission: 'files.write',
  params: file,
  success: { status: 204 },
  errors: [404, 409],
});

export const fileContent = endpoint({
  id: 'files.content',
  method: 'GET',
  path: '/files/{file_id}/content',
  summary: 'The content of a file, by a signed link',
  description:
    'Such links are `file_url` and `download_url`; they need no other credentials. A `Range` of bytes is answered with 206.',
  permission: 'public',
  params: file,
  query: z.object({
    expires: text({ max: 20 }).optional(),
    signature: text({ max: 100 }).optional(),
    /** `inline` shows images instead of saving them; everything else is always saved. */
    disposition: oneOf(['attachment', 'inline']).default('attachment'),
  }),
  success: { status: 200, mediaType: 'application/octet-stream' },
  errors: [403, 404, 416, 503],
});

export const attachFile = endpoint({
  id: 'purposes.files.add',
  method: 'POST',
  path: '/purposes/{purpose_id}/files',
  summary: 'Store a file and attach it to the purpose',
  permission: 'purposes.write',
  params: z.object({ purpose_id: id() }),
  body: upload,
  bodyType: 'multipart',
  success: { status: 201, body: fileAttachment },
  errors: [404, 412, 413],
});

export const detachFile = endpoint({
  id: 'purposes.files.remove',
  method: 'DELETE',
  path: '/purposes/{purpose_id}/files/{file_id}',
  summary: 'Delete a file that is attached to the purpose',
  description:
    'As in v1 the file goes from every purpose that shares it. With `only_here=true` it goes from this one, and is deleted when nothing else uses it.',
  permission: 'purposes.write',
  params: z.object({ purpose_id: id(), file_id: id() }),
  query: z.object({ only_here: boolean().default(false) }),
  success: { status: 204 },
  errors: [404, 409, 412],
});
