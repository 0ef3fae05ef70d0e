import type { FastifyBaseLogger } from 'fastify';
import type { Permission } from '@calculaud/contract/permissions';

/** Who is acting, as the authentication of the request (or of a job) found out. */
export interface Principal {
  readonly id: number;
  readonly name: string;
  readonly permits: (permission: Permission) => boolean;
}

/** What a service needs to know about the request it serves. */
export interface RequestContext {
  readonly principal: Principal;
  readonly requestId: string;
  /** The organisation's calendar day, `YYYY-MM-DD`. */
  readonly today: string;
  /** Scheme and host that the client used, for absolute links. */
  readonly baseUrl: string;
  /** The versions that If-Match allows; undefined: no header, any version will do. */
  readonly ifMatch: IfMatch | undefined;
  readonly log: FastifyBaseLogger;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

export interface IfMatch {
  readonly versions: ReadonlySet<number>;
}

interface Calendar {
  readonly formatter: Intl.DateTimeFormat;
  minute: number;
  day: string;
}

/** Making a formatter costs 0.2 ms, formatting 0.01: a fifth and a hundredth of the server's time for a small answer. */
const calendars = new Map<string, Calendar>();

/** The calendar day of an instant in a time zone. No day begins within a minute, wherever it is. */
export function calendarDay(instant: Date, timeZone: string): string {
  let calendar = calendars.get(timeZone);
  if (!calendar) {
    const formatter = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' });
    calendar = { formatter, minute: Number.NaN, day: '' };
    calendars.set(timeZone, calendar);
  }
  const minute = Math.floor(instant.getTime() / 60_000);
  if (minute !== calendar.minute) {
    calendar.day = calendar.formatter.format(instant);
    calendar.minute = minute;
  }
  return calendar.day;
}

/** Who the database shall write down as the author of what the request changes. */
export function actor(context: RequestContext): { principalId: number; requestId: string } {
  return { principalId: context.principal.id, requestId: context.requestId };
}
