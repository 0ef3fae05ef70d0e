import { createHash, randomBytes } from 'node:crypto';

/**
 * The text of an API token: `cal_<id>_<secret><checksum>`. The prefix makes a leaked one recognisable, the checksum
 * tells a mistyped one without asking the database. Only the hash of the secret is ever stored.
 */

const PREFIX = 'cal_';
const SECRET_BYTES = 20;
const CHECKSUM_DIGITS = 6;
/** At most nine digits, so that the id always fits an integer of the database. */
const FORM = /^cal_([1-9]\d{0,8})_([\da-f]{40})([\da-f]{6})$/;

export interface ApiTokenParts {
  readonly id: number;
  readonly secret: string;
}

export function isApiToken(token: string): boolean {
  return token.startsWith(PREFIX);
}

/** 160 random bits. */
export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('hex');
}

export function formatApiToken({ id, secret }: ApiTokenParts): string {
  return `${PREFIX}${id}_${secret}${checksum(id, secret)}`;
}

/** undefined: this is no token that was ever given out. */
export function parseApiToken(token: string): ApiTokenParts | undefined {
  const [, digits, secret, sum] = FORM.exec(token) ?? [];
  if (digits === undefined || secret === undefined) {
    return undefined;
  }
  const id = Number(digits);
  return sum === checksum(id, secret) ? { id, secret } : undefined;
}

/** SHA-256 without salt or stretching is enough for a secret that nobody can guess. */
export function hashOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

function checksum(id: number, secret: string): string {
  return createHash('sha256').update(`${id}_${secret}`).digest('hex').slice(0, CHECKSUM_DIGITS);
}
