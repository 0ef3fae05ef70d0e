import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';

/** Builds a program of Go as `binary`, unless it is there. A failure is told, and makes this process end with 1. */
export function goInstall(module: { readonly path: string; readonly version: string }, binary: string): void {
  if (existsSync(binary)) {
    console.log(`${binary} is there.`);
    return;
  }
  mkdirSync(dirname(binary), { recursive: true });
  const folder = mkdtempSync(`${binary}-build-`);
  const { error, status } = spawnSync('go', ['install', `${module.path}@${module.version}`], {
    env: {
      ...process.env,
      // The usual place of Go is not always on the path.
      PATH: [process.env['PATH'], '/usr/local/go/bin'].join(delimiter),
      GOBIN: folder,
    },
    stdio: 'inherit',
  });
  if (status === 0) {
    renameSync(join(folder, basename(module.path)), binary);
    console.log(`Built ${binary}.`);
  } else {
    console.error(
      error ? `Go cannot be run (${error.message}). Install it from https://go.dev.` : 'The build failed.',
    );
    process.exitCode = 1;
  }
  rmSync(folder, { recursive: true, force: true });
}
