import { z } from 'zod';
import { boolean, day, id, repeated } from './input.ts';

const serviceTypes = { service_type_id: repeated(id()) };
const dates = { start_date: day().optional(), end_date: day().optional() };

export const datedQuery = z.object({ ...dates, ...serviceTypes });

const ignoredDay = z.unknown().meta({ type: 'string', format: 'date' }).optional();

/** As in v1 the dates are not looked at, not even whether they are dates: unless `apply_dates` says so. */
export const liveQuery = z
  .object({
    ...serviceTypes,
    apply_dates: boolean().default(false),
    start_date: ignoredDay,
    end_date: ignoredDay,
  })
  .superRefine((query, context) => {
    const { error } = parseDates(query);
    for (const { message, path, ...issue } of error?.issues ?? []) {
      context.addIssue({
        code: 'custom',
        message,
        path,
        input: query[path[0] === 'end_date' ? 'end_date' : 'start_date'],
        ...('params' in issue ? { params: issue.params } : {}),
      });
    }
  });

function parseDates({ apply_dates, start_date, end_date }: z.output<typeof liveQuery>) {
  return z.object(dates).safeParse(apply_dates ? { start_date, end_date } : {});
}

/** The dates of a query for live figures that count. */
export function appliedDates(query: z.output<typeof liveQuery>): {
  readonly start_date?: string | undefined;
  readonly end_date?: string | undefined;
} {
  return parseDates(query).data ?? {};
}
