import { z } from 'zod';
import type { SeenAnswer, SeenCheck, SeenDisk } from './seen.ts';

/** What programs in containers answer, read. Pure, so that a test needs no container. */

const health = z.object({
  status: z.string(),
  draining: z.boolean().default(false),
  version: z.string(),
  commit: z.string().nullable().default(null),
  checks: z
    .record(
      z.string(),
      z.array(
        z.object({
          status: z.enum(['pass', 'warn', 'fail']),
          observedValue: z.number().optional(),
          output: z.string().optional(),
        }),
      ),
    )
    .default({}),
});

/** An answer of /health/ready as it came over the wire, its head included. Undefined: that is none. */
export function parseReadiness(text: string): SeenAnswer | undefined {
  const [, status, body = ''] = /^HTTP\/1\.[01] (\d{3})[^]*?\r\n\r\n([^]*)$/.exec(text) ?? [];
  if (status === undefined) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(body);
  } catch {
    return undefined;
  }
  const parsed = health.safeParse(content);
  if (!parsed.success) return undefined;
  const { draining, version, commit, checks } = parsed.data;
  return {
    ready: status === '200',
    draining,
    version,
    commit,
    checks: Object.entries(checks).flatMap(([check, results]) =>
      results.map(
        ({ status: result, observedValue = null, output = null }): SeenCheck => ({
          check,
          status: result,
          ms: observedValue,
          output,
        }),
      ),
    ),
  };
}

/** `df -Pk` of some folders, in their order; the same disk behind two of them comes out once. */
export function parseDisks(text: string, holds: readonly string[]): readonly SeenDisk[] {
  const lines = text.trim().split('\n').slice(1);
  const disks: SeenDisk[] = [];
  lines.forEach((line, index) => {
    const [, size = '', free = ''] = /\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s/.exec(line) ?? [];
    const what = holds[index];
    if (size === '' || what === undefined) return;
    const disk = { holds: [what], free_bytes: Number(free) * 1024, size_bytes: Number(size) * 1024 };
    const known = disks.findIndex((other) => isSame(other, disk));
    const before = disks[known];
    if (before) disks[known] = { ...before, holds: [...before.holds, what] };
    else disks.push(disk);
  });
  return disks;
}

/** A container sees its disk under a name of its own; what tells is how large and how full it is. */
function isSame(one: SeenDisk, other: SeenDisk): boolean {
  return (
    one.size_bytes === other.size_bytes && Math.abs(one.free_bytes - other.free_bytes) < one.size_bytes / 1000
  );
}

/** Health as Docker puts it into the status of a container: `Up 2 minutes (healthy)`. */
export function healthIn(status: string): 'healthy' | 'unhealthy' | 'starting' | 'none' {
  if (status.includes('(healthy)')) return 'healthy';
  if (status.includes('(unhealthy)')) return 'unhealthy';
  return status.includes('(health: starting)') ? 'starting' : 'none';
}
