import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { S3_BINARY, S3_MODULE } from '@calculaud/testing/s3-binary';

/** Builds the S3 server that tests talk to, unless it is there. Needs Go; takes some minutes, once. */

if (existsSync(S3_BINARY)) {
  console.log(`${S3_BINARY} is there.`);
} else {
  mkdirSync(dirname(S3_BINARY), { recursive: true });
  const folder = mkdtempSync(`${S3_BINARY}-build-`);
  const { error, status } = spawnSync('go', ['install', `${S3_MODULE.path}@${S3_MODULE.version}`], {
    env: {
      ...process.env,
      // The usual place of Go is not always on the path.
      PATH: [process.env['PATH'], '/usr/local/go/bin'].join(delimiter),
      GOBIN: folder,
    },
    stdio: 'inherit',
  });
  if (status === 0) {
    renameSync(join(folder, 'versitygw'), S3_BINARY);
    console.log(`Built ${S3_BINARY}.`);
  } else {
    console.error(
      error ? `Go cannot be run (${error.message}). Install it from https://go.dev.` : 'The build failed.',
    );
    process.exitCode = 1;
  }
  rmSync(folder, { recursive: true, force: true });
}
