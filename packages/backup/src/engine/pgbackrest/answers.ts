import { z } from 'zod';
import { BackupProblem } from '../../repository/problem.ts';
import type { BackupSummary } from '../backup-engine.ts';
import type { Fault } from '../verify.ts';
import { STANZA } from './settings.ts';

/** What pgBackRest answers in JSON or, for a verification, in words. */

const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/i);
const backup = z.object({
  label: z.string(),
  type: z.enum(['full', 'diff', 'incr']),
  /** A page had another checksum than it says while it was backed up. */
  error: z.boolean().nullish(),
  archive: z.object({ start: z.string().regex(/^[0-9A-F]{24}$/), stop: z.string() }),
  lsn: z.object({ start: lsn, stop: lsn }),
  timestamp: z.object({ start: z.int(), stop: z.int() }),
  database: z.object({ id: z.int() }),
  info: z.object({ size: z.int(), repository: z.object({ delta: z.int().optional() }) }),
});
const info = z.array(
  z.object({
    name: z.string(),
    status: z.object({ code: z.int(), message: z.string() }),
    repo: z.array(z.object({ status: z.object({ code: z.int(), message: z.string() }) })),
    archive: z.array(z.object({ id: z.string(), database: z.object({ id: z.int() }) })),
    backup: z.array(backup),
    db: z.array(z.object({ id: z.int(), 'system-id': z.string(), version: z.string() })),
  }),
);

export interface PgBackRestBackup extends BackupSummary {
  /** Of its cluster in the archive: `15-1`. */
  readonly archive: string;
  readonly pageErrors: boolean;
}

const [OK, NO_STANZA, NO_BACKUP] = [0, 1, 2];

/** Newest first. It tells of what is wrong with a repository in its answer only, and ends with 0. */
export function parseInfo(answer: string, address: string): readonly PgBackRestBackup[] {
  // An identifier has more digits than a number of JSON holds.
  const exact = answer.replaceAll(/"system-id":(\d+)/g, '"system-id":"$1"');
  const stanza = info.parse(jsonOf(exact, address)).find(({ name }) => name === STANZA);
  const status = stanza?.repo[0]?.status ??
    stanza?.status ?? { code: NO_STANZA, message: 'missing stanza path' };
  if (!stanza || status.code === NO_STANZA) {
    throw new BackupProblem(
      'missing',
      `There are no backups of pgBackRest in ${address} (${status.message}). Is the address right? The first one is made by calculaud backup create.`,
      { object: address },
    );
  }
  if (status.code !== OK && status.code !== NO_BACKUP) {
    const unreadable = /FormatError|CryptoError|ChecksumError/.test(status.message);
    throw new BackupProblem(
      unreadable ? 'wrong-key' : 'unavailable',
      unreadable
        ? `The repository ${address} is not opened by this passphrase (CALCULAUD_BACKUP_PGBACKREST_PASSPHRASE), or its backup.info is damaged.`
        : `The repository ${address} cannot be read: ${status.message.split('\n')[0]}.`,
      { object: address },
    );
  }
  const archives = new Map(stanza.archive.map(({ id, database }) => [database.id, id]));
  const clusters = new Map(stanza.db.map((db) => [db.id, db]));
  return stanza.backup
    .map((one) => {
      const cluster = clusters.get(one.database.id);
      return {
        id: one.label,
        kind: one.type,
        startedAt: new Date(one.timestamp.start * 1000).toISOString(),
        finishedAt: new Date(one.timestamp.stop * 1000).toISOString(),
        reason: null,
        systemId: cluster?.['system-id'] ?? '',
        timeline: Number.parseInt(one.archive.start.slice(0, 8), 16),
        startLsn: one.lsn.start.toUpperCase(),
        stopLsn: one.lsn.stop.toUpperCase(),
        postgresVersion: cluster?.version ?? '',
        migration: null,
        bytes: { total: one.info.size, stored: one.info.repository.delta ?? 0 },
        archive: archives.get(one.database.id) ?? `${cluster?.version}-${one.database.id}`,
        pageErrors: one.error === true,
      };
    })
    .toReversed();
}

/** What it quotes of a file that it could not read is not always text. */
function jsonOf(answer: string, address: string): unknown {
  try {
    const parsed: unknown = JSON.parse(answer.replaceAll(/\p{Cc}/gu, ' '));
    return parsed;
  } catch (error) {
    throw new BackupProblem(
      'corrupt',
      `The repository ${address} cannot be read, and pgBackRest says nothing that could be understood.`,
      {
        object: address,
        cause: error,
      },
    );
  }
}

const listing = z.record(z.string(), z.object({ type: z.string() }));

/** The whole segments in a listing of an archive. */
export function segmentsIn(answer: string): ReadonlySet<string> {
  const names = Object.keys(listing.parse(JSON.parse(answer))).map((path) =>
    path.slice(path.lastIndexOf('/') + 1),
  );
  return new Set(
    names.flatMap((name) => {
      const segment = /^([0-9A-F]{24})-[0-9a-f]{40}(\.\w+)?$/.exec(name)?.[1];
      return segment === undefined ? [] : [segment];
    }),
  );
}

export interface Verified {
  readonly files: number;
  readonly segments: number;
  readonly faults: readonly Fault[];
}

/**
 * What a verification found of one backup. It ends with 0 whatever it found, and says nothing at all of a repository that it
 * could not open: only what is certified counts.
 */
export function parseVerification(answer: string, id: string): Verified {
  const faults: Fault[] = [];
  const add = (object: string, words: string): void => void faults.push({ object, of: object, words });
  const about = (name: string) => (name.startsWith(`${id}/`) ? name.slice(id.length + 1) : name);
  for (const [, words = '', name = ''] of answer.matchAll(/INFO: ([a-z ]+) '([^']+)'$/gm)) {
    // What other backups are made of is theirs; of the log every one may need all.
    if (/^\d{8}-\d{6}F/.test(name) && !partsOf(id).some((part) => name.startsWith(`${part}/`))) continue;
    add(about(name), words.includes('missing') ? 'is missing' : `is not what it was (${words})`);
  }
  const row = new RegExp(`backup: ${id}, status: (\\w+), total files checked: (\\d+)`).exec(answer);
  const log = /archiveId: \S+, total WAL checked: \d+, total valid WAL: (\d+)/.exec(answer);
  if (!row) add(id, 'was not verified: pgBackRest says nothing of it');
  else if (row[1] !== 'valid' && !faults.some(({ object }) => object !== id)) {
    add(id, `is ${row[1]}: its manifest cannot be read`);
  }
  return { files: Number(row?.[2] ?? 0), segments: Number(log?.[1] ?? 0), faults };
}

/** A difference needs the whole one before it. */
function partsOf(id: string): readonly string[] {
  const [full = id] = id.split('_');
  return [full, id];
}
