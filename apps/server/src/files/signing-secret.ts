import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '@calculaud/config/config';
import { makeDataFolder } from '@calculaud/embedded/folder';

const known = new WeakMap<Config, string>();

/** The secret that signs links: the configured one, else a random one that the data folder keeps. */
export function signingSecretOf(config: Config): string {
  const secret = config.files.signingSecret ?? known.get(config) ?? keptSecret(config.data.directory);
  known.set(config, secret);
  return secret;
}

function keptSecret(dataDirectory: string): string {
  const path = join(dataDirectory, 'files.secret');
  if (!existsSync(path)) {
    makeDataFolder(dataDirectory, 0o700);
    // Processes that start at the same time agree on the first one's secret, and never read half of it.
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flush: true });
    try {
      linkSync(temporary, path);
    } catch (error) {
      if (!existsSync(path)) throw error;
    } finally {
      rmSync(temporary);
    }
  }
  const secret = readFileSync(path, 'utf8').trim();
  if (!/^[0-9a-f]{64}$/.test(secret)) {
    throw new Error(
      `${path} does not hold the secret that signs links to files (64 hexadecimal digits). Put the right file back, ` +
        'or delete it: links that were given out before then stop working.',
    );
  }
  return secret;
}
