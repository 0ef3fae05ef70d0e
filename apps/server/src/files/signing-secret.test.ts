import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Config } from '@calculaud/config/config';
import { loadConfig } from '@calculaud/config/load';
import { signingSecretOf } from './signing-secret.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'calculaud-test-secret-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** A configuration as another process would have it. */
const config = (environment: Record<string, string> = {}): Config =>
  loadConfig({ CALCULAUD_DATA: join(folder, 'data'), ...environment });

test('a configured secret is used, and nothing is written', async () => {
  const secret = 'a secret of more than thirty-two characters';
  expect(signingSecretOf(config({ CALCULAUD_SIGNING_SECRET: secret }))).toBe(secret);
  await expect(stat(join(folder, 'data'))).rejects.toThrow('ENOENT');
});

test('without one the data folder keeps a random one, which every process finds', async () => {
  const secret = signingSecretOf(config());
  expect(secret).toMatch(/^[0-9a-f]{64}$/);
  expect(signingSecretOf(config())).toBe(secret);
  const path = join(folder, 'data', 'files.secret');
  expect(await readFile(path, 'utf8')).toBe(`${secret}\n`);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test('a damaged file is refused by its name instead of signing with it', async () => {
  signingSecretOf(config());
  await writeFile(join(folder, 'data', 'files.secret'), 'short');
  expect(() => signingSecretOf(config())).toThrow(/files\.secret does not hold the secret/);
});
