const MILLISECONDS = { h: 3_600_000, d: 86_400_000 } as const;

/** The instant that an operator means: from now on, the end of a day in UTC, or the instant itself. */
export function parseExpiry(text: string, now: Date): Date | undefined {
  const span = /^(\d{1,5})([hd])$/.exec(text);
  if (span) {
    const unit = span[2] === 'h' ? MILLISECONDS.h : MILLISECONDS.d;
    return new Date(now.getTime() + Number(span[1]) * unit);
  }
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const instant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text);
  if (!day && !instant) return undefined;
  const time = Date.parse(day ? `${text}T00:00:00Z` : text);
  // Date.parse takes 2027-02-31 for the 3rd of March.
  if (Number.isNaN(time) || (day && new Date(time).toISOString().slice(0, 10) !== text)) return undefined;
  return new Date(day ? time + MILLISECONDS.d : time);
}
