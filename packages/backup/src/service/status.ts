import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { makeFolder } from '../postgres/durable-file.ts';
import { alertsOf, type Alert, type RepositoryAges } from '../schedule/ages.ts';
import { TASKS } from '../schedule/last-runs.ts';

const time = z.iso.datetime().transform((text) => new Date(text));
const maybe = time.optional();

/** What the backup service knows of one repository. */
const repositoryStatus = z.object({
  address: z.string(),
  /** In words; null while it can be used. */
  trouble: z.string().nullable(),
  /** Up to where the log is there, and since when. */
  lsn: z.string().nullable(),
  shippedAt: z.iso.datetime().nullable(),
  attachedUntil: z.iso.datetime().nullable(),
  /** Files that nobody can back up, in words. */
  faults: z.array(z.string()),
  watchedSince: time,
  base: maybe,
  export: maybe,
  verification: maybe,
  drill: maybe,
  newestDrill: z
    .object({
      verdict: z.enum(['passed', 'failed', 'could-not-verify']),
      words: z.string(),
      rtoMs: z.number().nullable(),
      rpoMs: z.number().nullable(),
    })
    .optional(),
  logComplete: maybe,
  logLagBytes: z.number().optional(),
  gapsSinceBase: z.int(),
  corrupt: z.array(z.string()),
  slotSafeBytes: z.number().optional(),
  filesNotCopied: z.int().optional(),
  spoolBytes: z.number().optional(),
  spoolLimitBytes: z.number().optional(),
  freeBytes: z.number().optional(),
  newestBackup: z
    .object({ id: z.string(), totalBytes: z.number(), newBytes: z.number(), seconds: z.number() })
    .optional(),
});
export type RepositoryStatus = z.output<typeof repositoryStatus>;

const taskStatus = z.object({
  task: z.enum(TASKS),
  running: z.boolean(),
  succeededAt: z.iso.datetime().nullable(),
  /** Runs in a row that did not end well. */
  failures: z.int(),
  nextAt: z.iso.datetime().nullable(),
});

/** What the backup service tells of itself, for commands and for health beside it. */
const serviceStatus = z.object({
  format: z.literal(2),
  at: z.iso.datetime(),
  startedAt: z.iso.datetime(),
  receiving: z.boolean(),
  systemId: z.string().nullable(),
  receivedLsn: z.string().nullable(),
  serverLsn: z.string().nullable(),
  /** In words; null while the log is received. */
  trouble: z.string().nullable(),
  kitWaiting: z.boolean(),
  tasks: z.array(taskStatus),
  repositories: z.array(repositoryStatus),
});
export type ServiceStatus = z.output<typeof serviceStatus>;

const FILE = 'status.json';
/** It is written every two seconds. */
const SILENT_AFTER_MS = 60_000;
/** A service that was just started has not had the time to catch up with the log. */
const CATCH_UP_MS = 60_000;

export async function writeStatus(workFolder: string, status: ServiceStatus): Promise<void> {
  await makeFolder(workFolder);
  // Whole, and not synced: after a crash of the machine another one follows within seconds.
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

export interface ServiceAlert extends Omit<Alert, 'name' | 'repository'> {
  readonly name: Alert['name'] | 'service-silent';
  /** Null: of the service itself. */
  readonly repository: string | null;
}

/** What an operator has to know now. Who tells nothing for a minute is as good as dead, whatever it told before. */
export function alertsIn(status: ServiceStatus, now: Date): readonly ServiceAlert[] {
  const silentMs = now.getTime() - Date.parse(status.at);
  const silent: readonly ServiceAlert[] =
    silentMs > SILENT_AFTER_MS
      ? [
          {
            name: 'service-silent',
            severity: 'critical',
            repository: null,
            words: `The backup service has told nothing since ${status.at}: nothing is backed up. Start it, or see in its log why it ends.`,
          },
        ]
      : [];
  const catchingUp = now.getTime() - Date.parse(status.startedAt) < CATCH_UP_MS;
  const alerts = alertsOf(status.repositories, now).filter(({ name }) => !catchingUp || name !== 'log-late');
  return [...silent, ...alerts];
}

/** The part of it that grows old; of a repository that cannot be used at this moment, what was known before. */
export function agesIn(status: ServiceStatus | undefined, address: string): RepositoryAges | undefined {
  return status?.repositories.find((each) => each.address === address);
}
