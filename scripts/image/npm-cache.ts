import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output, repository, show } from './programs.ts';

/**
 * Fetches into a folder what the Dockerfile's `npm ci` will ask for, so that the build needs no network. Does nothing, also
 * without a network, when the folder was filled for the same packages.
 */
export function fillNpmCache(folder: string): void {
  const manifests = output('git', ['ls-files', '-z', '--', '.npmrc', 'package-lock.json', '*package.json'])
    .split('\0')
    .filter((file) => file !== '');
  const key = createHash('sha256');
  for (const file of manifests) key.update(readFileSync(join(repository, file)));
  const done = join(folder, `.filled-${key.digest('hex').slice(0, 16)}`);
  if (existsSync(done)) return;

  mkdirSync(folder, { recursive: true });
  const project = mkdtempSync(join(tmpdir(), 'calculaud-npm-cache-'));
  try {
    for (const file of manifests) cpSync(join(repository, file), join(project, file));
    const options = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--omit=dev'];
    const workspaces = ['--include-workspace-root', '--workspace=apps/server', '--workspace=apps/cli'];
    show('npm', ['ci', `--cache=${folder}`, ...options, ...workspaces], { cwd: project });
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
  writeFileSync(done, '');
}
