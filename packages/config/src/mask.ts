const MASK = '********';

/** A setting's value as text that may be shown; null when there is none. */
export function mask(
  value: string | number | boolean | readonly string[] | undefined,
  secret: 'value' | 'url' | undefined,
): string | null {
  const text = value === undefined ? '' : String(value);
  if (text === '') return null;
  if (secret === 'value') return MASK;
  return secret === 'url' ? maskPassword(text) : text;
}

/** Hides the password of a connection URL, before the host and in the query; the rest helps to find a mistake. */
export function maskPassword(url: string): string {
  return url
    .replace(/^([a-z+\d]+:\/\/[^:/@]*):[^@]*@/i, `$1:${MASK}@`)
    .replace(/([?&](?:ssl)?password=)[^&]*/gi, `$1${MASK}`);
}
