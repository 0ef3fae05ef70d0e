import { z } from 'zod';
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
