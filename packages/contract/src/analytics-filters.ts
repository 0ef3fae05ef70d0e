import { z } from 'zod';
import { boolean, day, id, repeated } from './input.ts';

const serviceTypes = {
  service_type_id: repeated(id(), 'Only purposes of these service types; repeat it for several.'),
};
const dates = {
  start_date: day().optional().describe('From this day of the organisation on.'),
  end_date: day().optional().describe('Up to this day of the organisation, it included.'),
};

export const datedQuery = z.object({ ...dates, ...serviceTypes });

const ignoredDay = (description: string) =>
  z
    .unknown()
    .meta({ type: 'string', format: 'date' })
    .optional()
    .describe(`${description} Without \`apply_dates\` it is not looked at.`);

/** As in v1 the dates are not looked at, not even whether they are dates: unless `apply_dates` says so. */
export const liveQuery = z
  .object({
    ...serviceTypes,
    apply_dates: boolean()
      .default(false)
      .describe('Looks at the dates, which v1 ignored here: only purposes that were created between them.'),
    start_date: ignoredDay('Created on this day of the organisation, or later.'),
    end_date: ignoredDay('Created on this day of the organisation, or before.'),
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

const appliedQuery = z.object(dates);

function parseDates({ apply_dates, start_date, end_date }: z.output<typeof liveQuery>) {
  return appliedQuery.safeParse(apply_dates ? { start_date, end_date } : {});
}

/** The dates of a query for live figures that count. */
export function appliedDates(query: z.output<typeof liveQuery>): {
  readonly start_date?: string | undefined;
  readonly end_date?: string | undefined;
} {
  return parseDates(query).data ?? {};
}
