import { z } from 'zod';

/** The kinds of values that answers hold (contract 2.1.8). */

export const id = z.int();
/** ISO 8601 in UTC with six digits of a second and `Z`. */
export const dateTime = z
  .string()
  .regex(/^\d{4,}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$/)
  .meta({ format: 'date-time' });
export const day = z
  .string()
  .regex(/^\d{4,}-\d{2}-\d{2}$/)
  .meta({ format: 'date' });
export const money = z.number();

/** The envelope of every list: exactly these seven members (contract 2.1.9). */
export function page<T extends z.ZodType>(item: T) {
  return z.strictObject({
    items: z.array(item),
    total: z.int(),
    page: z.int(),
    limit: z.int(),
    pages: z.int(),
    has_next: z.boolean(),
    has_prev: z.boolean(),
  });
}
