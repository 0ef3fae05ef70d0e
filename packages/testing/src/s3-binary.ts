import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** An S3 server that checks signatures and checksums like the real thing, which those from npm do not. */
export const S3_MODULE = { path: 'github.com/versity/versitygw/cmd/versitygw', version: 'v1.8.0' } as const;

/** Outside node_modules, so that the build (two minutes of a processor) outlives a fresh install. */
export const S3_BINARY = join(homedir(), '.cache', 'calculaud', `versitygw-${S3_MODULE.version}`);

/** Why no S3 server can be started here; undefined when one can. */
export function s3Missing(): string | undefined {
  if (existsSync(S3_BINARY)) return undefined;
  return `Tests against S3 need an S3 server, which is not built yet. Build it once with Go: npx tsx scripts/s3-server.ts (${S3_BINARY})`;
}
