import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { HADOLINT, missingLinter } from './lint-binaries.ts';
import { ROOT } from './workflow-files.ts';

/** Looks at every Dockerfile of the product: hadolint, and the builder's own checks where it is BuildKit. */

const files = readdirSync(join(ROOT, 'deploy'), { recursive: true, encoding: 'utf8' })
  .filter((path) => /(^|[./])Dockerfile$/.test(path))
  .map((path) => join('deploy', path))
  .toSorted();

function run(program: string, ...args: string[]): boolean {
  return spawnSync(program, args, { cwd: ROOT, stdio: 'inherit' }).status === 0;
}

const missing = missingLinter(HADOLINT);
if (missing !== undefined) {
  console.error(missing);
  process.exitCode = 1;
} else {
  for (const file of files) {
    if (run(HADOLINT, '--no-color', file)) console.log(`ok: ${file}`);
    else process.exitCode = 1;
  }
}

if (spawnSync('docker', ['buildx', 'version']).status === 0) {
  for (const file of files) {
    if (!run('docker', 'build', '--check', '--file', file, '.')) process.exitCode = 1;
  }
} else {
  console.log('The checks of the builder are left out: there is no BuildKit here.');
}
