import { createHash } from 'node:crypto';
import { z } from 'zod';
import { BackupProblem } from '../repository/problem.ts';

export interface SeenFile {
  readonly size: number;
  readonly sha256: string;
}

const manifestText = z.object({
  'System-Identifier': z.union([z.string(), z.number()]).optional(),
  Files: z.array(
    z.object({
      Path: z.string().optional(),
      /** In hexadecimal, where the path is no UTF-8. */
      'Encoded-Path': z.string().optional(),
      Size: z.int(),
      'Checksum-Algorithm': z.literal('SHA256'),
      Checksum: z.string(),
    }),
  ),
});

/** Segments of the log are in no manifest: their records have checksums of their own. */
const UNLISTED = 'pg_wal/';

/**
 * What came is what the server says that it sent (backup-manifest in PostgreSQL's manual): every file, of that size and that
 * SHA-256, and none beside. Throws 'corrupt', naming the file.
 */
export function assertAsAnnounced(
  manifest: Buffer,
  { systemId, seen }: { readonly systemId: string; readonly seen: ReadonlyMap<string, SeenFile> },
): void {
  const { Files: files, 'System-Identifier': id } = parsed(manifest);
  // A number of that size is not exact in JSON as it is parsed; the text is.
  if (id !== undefined && !manifest.includes(`"System-Identifier": ${systemId},`)) {
    throw damaged(`its manifest is of the cluster ${id}, and not of ${systemId}`, 'backup_manifest');
  }
  const listed = new Set<string>();
  for (const file of files) {
    const path = file.Path ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString('utf8');
    listed.add(path);
    const found = seen.get(path);
    if (!found) throw damaged(`${path} did not come`, path);
    if (found.size !== file.Size) {
      throw damaged(`${path} has ${found.size} instead of ${file.Size} bytes`, path);
    }
    if (found.sha256 !== file.Checksum) throw damaged(`${path} has another checksum`, path);
  }
  for (const path of seen.keys()) {
    if (!listed.has(path) && !path.startsWith(UNLISTED)) throw damaged(`${path} came unannounced`, path);
  }
}

/** Its last line holds the checksum of all lines before. */
function parsed(manifest: Buffer): z.output<typeof manifestText> {
  const end = Math.max(manifest.lastIndexOf('"Manifest-Checksum"'), 0);
  const stated = /^"Manifest-Checksum": "([0-9a-f]{64})"\}\s*$/.exec(manifest.toString('latin1', end))?.[1];
  if (stated !== createHash('sha256').update(manifest.subarray(0, end)).digest('hex')) {
    throw damaged('its manifest is incomplete or has another checksum', 'backup_manifest');
  }
  try {
    return manifestText.parse(JSON.parse(manifest.toString('utf8')));
  } catch (error) {
    throw damaged('its manifest cannot be read', 'backup_manifest', error);
  }
}

function damaged(why: string, object: string, cause?: unknown): BackupProblem {
  return new BackupProblem(
    'corrupt',
    `The base backup is not what the server said it sent: ${why}. Make it again; if it stays so, check the memory and the disk of the server.`,
    { object, cause },
  );
}
