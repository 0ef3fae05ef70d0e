import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Programs that look at workflows and Dockerfiles; none of them comes from npm. They lie outside node_modules, so that they
 * outlive a fresh install, under names that change with their versions.
 */

const CACHE = join(homedir(), '.cache', 'calculaud');

/** The npm packages of this name carry an old version, or fetch one from elsewhere while they are installed. */
export const ACTIONLINT_MODULE = {
  path: 'github.com/rhysd/actionlint/cmd/actionlint',
  version: 'v1.7.12',
} as const;

export const REQUIREMENTS = fileURLToPath(new URL('lint-requirements.txt', import.meta.url));
const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
export const PYTHON_FOLDER = join(CACHE, `lint-${digest}`);

export const ACTIONLINT = join(CACHE, `actionlint-${ACTIONLINT_MODULE.version}`);
export const ZIZMOR = join(PYTHON_FOLDER, 'bin', 'zizmor');
export const HADOLINT = join(PYTHON_FOLDER, 'bin', 'hadolint');

/** Why a program is not there; undefined when it is. */
export function missingLinter(binary: string): string | undefined {
  if (existsSync(binary)) return undefined;
  return `${binary} is missing. Install it once: npm run tools (actionlint needs Go, the others Python with pip)`;
}
