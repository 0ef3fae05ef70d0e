const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** The instant that is meant by `90s`, `10m`, `2h`, `3d` (ago), a day or a time, in UTC where nothing else is said. */
export function parseSince(text: string, now: Date): Date | undefined {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (unit === 's' || unit === 'm' || unit === 'h' || unit === 'd') {
    return new Date(now.getTime() - Number(count) * SECONDS[unit] * 1000);
  }
  const [, day, time, seconds = ':00', zone = 'Z'] =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(text) ?? [];
  if (day === undefined) return undefined;
  const start = new Date(`${day}T00:00:00Z`);
  // Date takes the 31st of February for the 3rd of March.
  if (Number.isNaN(start.getTime()) || start.toISOString().slice(0, 10) !== day) return undefined;
  if (time === undefined) return start;
  const instant = new Date(`${day}T${time}${seconds}${zone}`);
  return Number.isNaN(instant.getTime()) ? undefined : instant;
}
