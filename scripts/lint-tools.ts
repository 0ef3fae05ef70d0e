import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { goInstall } from './go-install.ts';
import { ACTIONLINT, ACTIONLINT_MODULE, PYTHON_FOLDER, REQUIREMENTS } from './lint-binaries.ts';

/** Installs what looks at workflows and Dockerfiles, unless it is there. Needs Go, and Python with pip; takes seconds, once. */

goInstall(ACTIONLINT_MODULE, ACTIONLINT);

if (existsSync(PYTHON_FOLDER)) {
  console.log(`${PYTHON_FOLDER} is there.`);
} else {
  mkdirSync(dirname(PYTHON_FOLDER), { recursive: true });
  const folder = mkdtempSync(`${PYTHON_FOLDER}-install-`);
  const options = ['--quiet', '--disable-pip-version-check', '--root-user-action=ignore'];
  const exactly = ['--no-deps', '--require-hashes', '--only-binary', ':all:'];
  const { error, status } = spawnSync(
    'python3',
    ['-m', 'pip', 'install', ...options, ...exactly, '--target', folder, '--requirement', REQUIREMENTS],
    { stdio: 'inherit' },
  );
  if (status === 0) {
    renameSync(folder, PYTHON_FOLDER);
    console.log(`Installed ${PYTHON_FOLDER}.`);
  } else {
    console.error(
      error
        ? `Python cannot be run (${error.message}). Install python3 and its pip.`
        : 'pip could not install them.',
    );
    process.exitCode = 1;
    rmSync(folder, { recursive: true, force: true });
  }
}
