import { createHmac, randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync } from 'node:fs';
import { codeOf, EmbeddedPostgresError } from './failure.ts';
import { writeDurably } from './files.ts';

/** All passwords of a cluster come from one secret: nothing else needs to be stored, backed up or rotated. */
export function passwordOf(secret: string, role: string): string {
  return createHmac('sha256', Buffer.from(secret, 'hex')).update(role).digest('base64url');
}

export function createSecretIfMissing(path: string): string {
  if (!existsSync(path)) {
    const temporary = `${path}.${process.pid}`;
    writeDurably(temporary, `${randomBytes(32).toString('hex')}\n`, 0o600);
    try {
      linkSync(temporary, path);
    } finally {
      rmSync(temporary);
    }
  }
  return readSecret(path);
}

export function readSecret(path: string): string {
  let secret: string;
  try {
    secret = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      throw new EmbeddedPostgresError(
        `The file ${path} with the passwords of the embedded database is missing. ` +
          'Put it back, or restart Calculaud: it makes a new one and sets the passwords anew.',
      );
    }
    if (codeOf(error) !== 'EACCES') throw error;
    throw new EmbeddedPostgresError(
      `The passwords of the embedded database lie in ${path}, which you may not read. ` +
        'Run the command as the user that started Calculaud.',
    );
  }
  if (!/^[0-9a-f]{64}$/.test(secret)) {
    throw new EmbeddedPostgresError(
      `${path} does not hold the secret of the embedded database (64 hexadecimal digits). ` +
        'Put the right file back, or delete it: the next start then makes a new one and resets the passwords.',
    );
  }
  return secret;
}
