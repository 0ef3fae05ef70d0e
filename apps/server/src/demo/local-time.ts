import type { Random } from './random.ts';

/**
 * What the clock on the organisation's wall shows, in milliseconds, as if it were UTC: days and working hours are then
 * plain arithmetic. The database turns it into an instant, in the organisation's time zone.
 */
export type LocalTime = number;

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const SUNDAY = 0;
const THURSDAY = 4;

export function localTime(instant: Date, timeZone: string): LocalTime {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(instant);
  const part = (type: Intl.DateTimeFormatPartTypes): number =>
    Number(parts.find((found) => found.type === type)?.value);
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
}

/** `YYYY-MM-DD HH:MM:SS` */
export function localText(time: LocalTime): string {
  return new Date(time).toISOString().slice(0, 19).replace('T', ' ');
}

/** `YYYY-MM-DD` */
export function dayText(time: LocalTime): string {
  return new Date(time).toISOString().slice(0, 10);
}

export function startOfDay(time: LocalTime): LocalTime {
  return Math.floor(time / DAY) * DAY;
}

/** The week of the organisation goes from Sunday to Thursday. */
export function isWorkday(time: LocalTime): boolean {
  const weekday = new Date(time).getUTCDay();
  return weekday >= SUNDAY && weekday <= THURSDAY;
}

/** The start of the day that is so many working days later; 0: of the same day. */
export function workdayAfter(time: LocalTime, workdays: number): LocalTime {
  let day = startOfDay(time);
  for (let left = workdays; left > 0; ) {
    day += DAY;
    if (isWorkday(day)) left -= 1;
  }
  return day;
}

/** Some moment of the working hours of that day; when it is the day of `earliest`, a while after that. */
export function duringDay(day: LocalTime, earliest: LocalTime, random: Random): LocalTime {
  const moment = startOfDay(day) + 8 * HOUR + random.integer(0, 9 * 3600) * 1000;
  return moment > earliest ? moment : earliest + random.integer(3 * 60, 40 * 60) * 1000;
}
