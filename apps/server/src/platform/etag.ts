import type { IfMatch } from './context.ts';
import { Problem } from './problem.ts';

/** The ETag of a record is its version, which rises with every change of it or of what belongs to it. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/** `*` and no header mean any version; tags that we never gave out match nothing (RFC 9110, 13.1.1). */
export function parseIfMatch(header: string | undefined): IfMatch | undefined {
  if (header === undefined || header.trim() === '*') {
    return undefined;
  }
  const versions = header
    .split(',')
    .map((tag) => /^"(\d{1,10})"$/.exec(tag.trim())?.[1])
    .filter((version) => version !== undefined)
    .map(Number);
  return { versions: new Set(versions) };
}

/** Refuses an edit that was made on an older state. Call it on the locked row. */
export function assertUnchanged(ifMatch: IfMatch | undefined, version: number): void {
  if (ifMatch && !ifMatch.versions.has(version)) {
    throw new Problem(
      'stale',
      412,
      'The record was changed by somebody else since you read it: read it again and repeat your change',
      { etag: etagOf(version) },
    );
  }
}
