/**
 * What a log must not hold: signatures of links, with which everybody who reads the log could read the files. For the
 * logger's `redact` option.
 */
export const logRedaction = {
  paths: ['req.url'],
  censor: (url: unknown): string => String(url).replaceAll(/\bsignature=[^&]*/g, 'signature=…'),
};
