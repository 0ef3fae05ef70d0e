import { isIP } from 'node:net';
import { z } from 'zod';
import { expectedRules, ruleWord } from './stricter-rules.ts';

/**
 * A setting is text in the environment; a reader turns it into a value or says what it expected. The message of every
 * reader is the expectation alone: the loader adds the name and, unless it is a secret, the text it found.
 */
function reader<T>(expected: string, read: (text: string) => T | undefined) {
  return z.string().transform((text, context): T => {
    const value = read(text.trim());
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

const TRUE = new Set(['true', 't', 'yes', 'y', 'on', '1']);
const FALSE = new Set(['false', 'f', 'no', 'n', 'off', '0']);

/** The spellings that v1 (pydantic) understood, in any case. */
export const boolean = reader('true or false (also yes/no, on/off, 1/0)', (text) => {
  const word = text.toLowerCase();
  if (TRUE.has(word)) return true;
  if (FALSE.has(word)) return false;
  return undefined;
});

export const text = reader('some text', (value) => value || undefined);

export function secret(minimumLength: number) {
  return reader(`at least ${minimumLength} characters`, (value) =>
    value.length >= minimumLength ? value : undefined,
  );
}

export function integer(minimum: number, maximum: number) {
  return reader(`a whole number from ${minimum} to ${maximum}`, (value) => {
    const number = /^[+-]?\d+(\.0+)?$/.test(value) ? Number(value) : Number.NaN;
    return number >= minimum && number <= maximum ? number : undefined;
  });
}

export function number(minimum: number, maximum: number) {
  return reader(`a number from ${minimum} to ${maximum}`, (value) => {
    const found = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
    return found >= minimum && found <= maximum ? found : undefined;
  });
}

/** Port 0 asks the system for any free port. */
export const port = integer(0, 65_535);

/** Stays text, because a rate multiplies money and must not pass through a binary float. */
export const positiveDecimal = reader('a number above 0, such as 3.7', (value) => {
  const number = Number(value);
  if (value === '' || !Number.isFinite(number) || number <= 0) return undefined;
  return /^\d+(\.\d+)?$/.test(value) ? value : String(number);
});

export function oneOf<const T extends string>(words: readonly T[], aliases: Record<string, T> = {}) {
  return reader(`one of ${words.join(', ')}`, (value) => {
    const word = value.toLowerCase();
    return words.find((candidate) => candidate === word) ?? aliases[word];
  });
}

function parseUrl(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined;
}

export const webUrl = reader('a URL that starts with https:// or http://', (value) => {
  const url = parseUrl(value);
  return url && /^https?:$/.test(url.protocol) ? value : undefined;
});

/** Something can be put behind it: it ends without a slash. */
export const publicUrl = reader('a URL such as https://procurement.example.org', (value) => {
  const url = parseUrl(value);
  const plain = url && /^https?:$/.test(url.protocol) && !url.search && !url.hash && !url.username;
  return plain && !/[?#@]/.test(value) ? url.href.replace(/\/+$/, '') : undefined;
});

/**
 * v1 took SQLAlchemy URLs: a driver after the scheme, and a password in which only `@` had to be escaped. Both are
 * brought into the form that every PostgreSQL client understands.
 */
export const postgresUrl = reader(
  'a PostgreSQL URL such as postgresql://user:password@host:5432/database' +
    ' (leave it out to use the PostgreSQL that comes with Calculaud; SQLite is not supported)',
  (value) => {
    const parts = /^postgres(?:ql)?(?:\+\w+)?:\/\/(?:([^:/@]*)(?::([^@]*))?@)?([^@]*)$/is.exec(value);
    if (!parts) return undefined;
    const [, user, password, rest = ''] = parts;
    const credentials =
      user === undefined
        ? ''
        : `${escapeOnce(user)}${password === undefined ? '' : `:${escapeOnce(password)}`}@`;
    // A URL without a host (a Unix socket named in the query) is valid for PostgreSQL, not for the URL class.
    const host = rest.startsWith('/') ? `localhost${rest}` : rest;
    return parseUrl(`postgresql://${credentials}${host}`) ? `postgresql://${credentials}${rest}` : undefined;
  },
);

function escapeOnce(value: string): string {
  try {
    return encodeURIComponent(decodeURIComponent(value));
  } catch {
    return encodeURIComponent(value);
  }
}

/** Names only: an offset such as +02:00 has the opposite sign in PostgreSQL. */
export const timeZone = reader('a time zone name such as UTC or Asia/Jerusalem', (value) => {
  if (!/^[a-z]/i.test(value)) return undefined;
  try {
    new Intl.DateTimeFormat('en', { timeZone: value }).format();
    return value;
  } catch {
    return undefined;
  }
});

export const urlPath = reader('a path such as /api/v1', (value) =>
  /^(\/[\w.~-]+)+\/?$/.test(value) ? value.replace(/\/$/, '') : undefined,
);

function isHost(value: string): boolean {
  return isIP(value) !== 0 || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(value);
}

export const host = reader('a host name or an IP address', (value) => (isHost(value) ? value : undefined));

function list<T extends string>(expected: string, item: (text: string) => T | undefined) {
  return reader(expected, (value) => {
    const items = value
      .split(',')
      .map((entry) => entry.trim())
      .filter(Boolean)
      .map(item);
    return items.length > 0 && items.every((entry) => entry !== undefined) ? items : undefined;
  });
}

export const hosts = list(
  'host names separated by commas, such as procurement.example.org,10.0.0.7',
  (value) => (isHost(value) ? value.toLowerCase() : undefined),
);

/** Folders, and buckets of S3-compatible stores. No password stands in them: they are shown. */
export const repositories = list(
  'folders or buckets separated by commas, such as /srv/backup,s3://backup/calculaud?endpoint=https://s3.example.org',
  (value) => {
    if (!value.includes('://')) return value;
    const url = parseUrl(value);
    if (!url || url.username !== '' || url.password !== '') return undefined;
    return url.protocol === 'file:' || (url.protocol === 's3:' && url.hostname !== '') ? value : undefined;
  },
);

/** `*` stands for any origin; the loader refuses it beside others. */
export const origins = list(
  'origins separated by commas, such as https://app.example.org,http://localhost:8080, or * for any',
  (value) => {
    if (value === '*') return value;
    const url = parseUrl(value);
    return url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/` ? url.origin : undefined;
  },
);

const PROXY_NAMES = new Set(['loopback', 'linklocal', 'uniquelocal']);

export const proxies = list(
  'addresses or networks separated by commas, such as 10.0.0.0/8 (or loopback, linklocal, uniquelocal)',
  (value) => {
    if (PROXY_NAMES.has(value)) return value;
    const [address = '', bits, ...more] = value.split('/');
    const family = isIP(address);
    if (family === 0 || more.length > 0) return undefined;
    if (bits === undefined) return value;
    return /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128) ? value : undefined;
  },
);

/** Asymmetric only: with a shared-secret algorithm anybody who knows the public key could sign a token. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

export const signatureAlgorithms = list(
  `signature algorithms separated by commas, from ${ALGORITHMS.join(', ')}`,
  (value) => ALGORITHMS.find((algorithm) => algorithm === value),
);

export const rules = list(expectedRules, ruleWord);
