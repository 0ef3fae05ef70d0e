import { z } from 'zod';
import { endpoint } from './endpoint.ts';
import { boolean, id, oneOf, paging, search, text } from './input.ts';
import * as out from './output.ts';

export const fileAttachment = z
  .object({
    id: out.id,
    file_id: out.id.describe('Always equal to `id`.'),
    original_filename: z.string(),
    mime_type: z.string(),
    file_size: z.int(),
    s3_key: z.string(),
    uploaded_at: out.dateTime,
    file_url: z.url().describe('A signed link to the content; it works for a limited time.'),
  })
  .meta({ id: 'FileAttachment' });

const fileDownload = z
  .object({
    file_id: out.id,
    original_filename: z.string(),
    download_url: z.url().describe('The same link as the `file_url` of a FileAttachment.'),
    expires_in: z.int().describe('For how many seconds the link works at least.'),
  })
  .meta({ id: 'FileDownload' });

/** A multipart form whose field `file` is the file. The server streams it and does not use this schema. */
const upload = z.object({ file: z.file().describe('The file, with its name.') });

export const listFiles = endpoint({
  id: 'files.list',
  method: 'GET',
  path: '/files/',
  summary: 'List files, newest first',
  description: 'With `is_linked=false` those that no purpose and no supplier uses.',
  permission: 'files.read',
  query: z.object({
    ...paging,
    search,
    is_linked: boolean()
      .optional()
      .describe('Only files that a purpose or a supplier uses, or only the others.'),
  }),
  success: { status: 200, body: out.page(fileAttachment) },
});

export const uploadFile = endpoint({
  id: 'files.upload',
  method: 'POST',
  path: '/files/upload',
  summary: 'Store a file that belongs to nothing yet',
  description:
    'Its id then goes into `file_attachment_ids` of a purpose or `file_icon_id` of a supplier. 413 says how large a file may be.',
  permission: 'files.write',
  body: upload,
  bodyType: 'multipart',
  success: { status: 201, body: fileAttachment },
  errors: [413],
});

const fileId = id().describe('The id of the file.');
const file = z.object({ file_id: fileId });

export const getFile = endpoint({
  id: 'files.get',
  method: 'GET',
  path: '/files/{file_id}',
  summary: 'A link to download the file',
  description: 'The link needs no other credentials and works for a limited time.',
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
  description: 'Its content goes a moment later. 409: it is the icon of a supplier.',
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
    expires: text({ max: 20 })
      .optional()
      .describe('Until when the link works, in seconds since 1970; part of the link.'),
    signature: text({ max: 100 }).optional().describe('Proves that the link is ours; part of it.'),
    disposition: oneOf(['attachment', 'inline'])
      .default('attachment')
      .describe('`inline` shows images instead of saving them; everything else is always saved.'),
  }),
  success: { status: 200, mediaType: 'application/octet-stream', ranges: true },
  errors: [403, 404, 416, 503],
});

const purposeId = id().describe('The id of the purpose.');

export const attachFile = endpoint({
  id: 'purposes.files.add',
  method: 'POST',
  path: '/purposes/{purpose_id}/files',
  summary: 'Store a file and attach it to the purpose',
  description: '413 says how large a file may be.',
  permission: 'purposes.write',
  params: z.object({ purpose_id: purposeId }),
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
  params: z.object({ purpose_id: purposeId, file_id: fileId }),
  query: z.object({
    only_here: boolean().default(false).describe('Takes the file from this purpose alone.'),
  }),
  success: { status: 204 },
  errors: [404, 409, 412],
});
