import { z } from 'zod';

/** The body of every refused or failed request: v1's `detail`, a `message` for people, and the members of RFC 9457. */
const members = {
  message: z.string(),
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string().describe('For programs: what kind of failure it is.'),
  request_id: z.string().describe('To quote when reporting it.'),
};

export const problem = z.object({ detail: z.string(), ...members }).meta({ id: 'Problem' });

const fieldError = z
  .object({
    type: z.string(),
    loc: z
      .array(z.union([z.string(), z.int()]))
      .describe('`body`, `query` or `path`, then the name of the field, then indexes of lists.'),
    msg: z.string(),
    input: z.unknown().optional(),
    ctx: z.unknown().optional(),
  })
  .meta({ id: 'FieldError' });

export const validationProblem = z
  .object({ detail: z.union([z.array(fieldError), z.string()]), ...members })
  .meta({ id: 'ValidationProblem' });
