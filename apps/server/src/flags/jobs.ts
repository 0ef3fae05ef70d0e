import { calendarDay } from '../platform/context.ts';
import type { Job } from '../platform/jobs.ts';
import { runAutoFlag } from './service.ts';

export const flagJobs: readonly Job[] = [
  {
    name: 'flags.update',
    // Every hour: the first run of the organisation's new day does the work of the day, whatever its time zone, and a
    // flag goes within the hour once its purpose moves again.
    schedule: '5 * * * *',
    async run({ config, db }, { log }) {
      const today = calendarDay(new Date(), config.organisation.timeZone);
      const changes = await runAutoFlag(db, today, config.organisation.autoFlagDays);
      log.info(changes, 'flags updated');
    },
  },
];
