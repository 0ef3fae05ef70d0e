import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** What the backup service tells of itself, for commands and for health beside it. */
const repositoryStatus = z.object({
  address: z.string(),
  /** In words; null while it can be used. */
  trouble: z.string().nullable(),
  /** Up to where the log is there, and since when. */
  lsn: z.string().nullable(),
  shippedAt: z.iso.datetime().nullable(),
  lastBackupAt: z.iso.datetime().nullable(),
  attachedUntil: z.iso.datetime().nullable(),
  /** Files that nobody can back up, in words. */
  faults: z.array(z.string()),
});
export type RepositoryStatus = z.output<typeof repositoryStatus>;

const serviceStatus = z.object({
  at: z.iso.datetime(),
  receiving: z.boolean(),
  systemId: z.string().nullable(),
  receivedLsn: z.string().nullable(),
  serverLsn: z.string().nullable(),
  /** In words; null while the log is received. */
  trouble: z.string().nullable(),
  kitWaiting: z.boolean(),
  repositories: z.array(repositoryStatus),
});
export type ServiceStatus = z.output<typeof serviceStatus>;

const FILE = 'status.json';

export async function writeStatus(workFolder: string, status: ServiceStatus): Promise<void> {
  await mkdir(workFolder, { recursive: true, mode: 0o700 });
  const unfinished = join(workFolder, `${FILE}.unfinished`);
  await writeFile(unfinished, JSON.stringify(status), { mode: 0o600 });
  await rename(unfinished, join(workFolder, FILE));
}

/** Undefined when no service has told anything, or nothing that can be understood. */
export async function readStatus(workFolder: string): Promise<ServiceStatus | undefined> {
  try {
    const parsed = serviceStatus.safeParse(JSON.parse(await readFile(join(workFolder, FILE), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
