import pg from 'pg';
import { z } from 'zod';
import { BackupProblem } from '../repository/problem.ts';
import { ArchiveReader } from './base-backup-archive.ts';
import { assertAsAnnounced, type SeenFile } from './base-backup-manifest.ts';
import { connectForReplication, CopyStream, identify } from './replication.ts';

export interface BaseBackupFile {
  /** Relative to the data directory. */
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  readonly content: AsyncIterable<Buffer>;
}

export interface BaseBackupOptions {
  /** Of a role with REPLICATION. */
  readonly connectionString: string;
  readonly label: string;
  /** Called for one file after the other; reads its content to the end, and tells what it was. */
  readonly store: (file: BaseBackupFile) => Promise<SeenFile>;
  readonly signal?: AbortSignal;
  /** Not faster than this, in kB/s (32 to 1,048,576), so that the server has time for others. */
  readonly maxRateKb?: number;
  /** With the log that is needed to start it. Left out where the log is received beside it. */
  readonly includeWal?: boolean;
}

export interface BaseBackupOutcome {
  readonly systemId: string;
  readonly timeline: number;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly postgresVersion: string;
  readonly directories: readonly string[];
  /** PostgreSQL's own backup_manifest. */
  readonly manifest: Buffer;
}

const [NEW_ARCHIVE, MANIFEST, DATA] = [0x6e, 0x6d, 0x64];
const DATA_CORRUPTED = 'XX001';

const versionRow = z.object({ server_version: z.string() });
/** The first result set begins with the position; the last one tells it, too. */
const positionRow = z.tuple([z.string(), z.coerce.number().int()]).rest(z.unknown());

/**
 * Copies the cluster of a running server. In the same pass every file is compared with what the server's manifest says of it:
 * rejects with 'corrupt', naming the file, when one differs or when the server finds a damaged page. What `store` rejects
 * with comes out as it is.
 */
export async function takeBaseBackup(options: BaseBackupOptions): Promise<BaseBackupOutcome> {
  const { connectionString, signal } = options;
  signal?.throwIfAborted();
  const client = await connectForReplication(connectionString);
  const abort = () => abandon(client);
  signal?.addEventListener('abort', abort);
  const damaged = new Set<string>();
  client.on('notice', ({ message }) => {
    const file = /checksum verification failed in file "(?:\.\/)?([^"]+)"/.exec(message ?? '')?.[1];
    if (file !== undefined) damaged.add(file);
  });
  try {
    signal?.throwIfAborted();
    const { systemId } = await identify(client);
    const { rows } = await client.query('SHOW server_version');
    const { server_version: postgresVersion } = versionRow.parse(rows[0]);
    return { systemId, postgresVersion, ...(await copy(client, options, systemId)) };
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof pg.DatabaseError ? refusal(error, [...damaged]) : error;
  } finally {
    signal?.removeEventListener('abort', abort);
    await client.end().catch(() => undefined);
  }
}

async function copy(client: pg.Client, options: BaseBackupOptions, systemId: string) {
  const stream = client.query(new CopyStream(command(options)));
  const manifest: Buffer[] = [];
  const { directories, seen } = await unpack(new ArchiveReader(archiveIn(stream, manifest)), options);
  assertAsAnnounced(Buffer.concat(manifest), { systemId, seen });
  const [startLsn] = positionRow.parse(stream.rows[0]);
  const [stopLsn, timeline] = positionRow.parse(stream.rows.at(-1));
  return { timeline, startLsn, stopLsn, directories, manifest: Buffer.concat(manifest) };
}

/** With a stream under way `pg` closes the socket at once. */
function abandon(client: pg.Client): void {
  client.end().catch(() => undefined);
}

function command({ label, maxRateKb, includeWal = false }: BaseBackupOptions): string {
  const options = [
    `LABEL '${label.replaceAll("'", "''")}'`,
    "CHECKPOINT 'fast'",
    `WAL ${includeWal}`,
    // Never wait for somebody else's archive: a dead one held a backup up for more than ten minutes (backup.md, 2.5).
    'WAIT false',
    "MANIFEST 'yes'",
    "MANIFEST_CHECKSUMS 'SHA256'",
    ...(maxRateKb === undefined ? [] : [`MAX_RATE ${maxRateKb}`]),
  ];
  return `BASE_BACKUP (${options.join(', ')})`;
}

/** The archive that the server sends; its manifest, which comes behind it, is put aside. */
async function* archiveIn(stream: CopyStream, manifest: Buffer[]): AsyncGenerator<Buffer> {
  let part: 'archive' | 'manifest' = 'archive';
  for await (const message of stream.messages()) {
    if (message[0] === NEW_ARCHIVE) assertMainArchive(message);
    else if (message[0] === MANIFEST) part = 'manifest';
    else if (message[0] !== DATA) continue;
    else if (part === 'manifest') manifest.push(message.subarray(1));
    else yield message.subarray(1);
  }
}

function assertMainArchive(message: Buffer): void {
  const name = message.toString('utf8', 1, message.indexOf(0, 1));
  if (name === 'base.tar') return;
  throw new BackupProblem(
    'impossible',
    `The cluster has a tablespace of its own (${name}), which this backup cannot carry. Move its tables to the data folder (ALTER TABLE … SET TABLESPACE pg_default) and drop it, or back the server up with pgBackRest.`,
    { object: name },
  );
}

async function unpack(
  archive: ArchiveReader,
  { store, signal }: BaseBackupOptions,
): Promise<{ readonly directories: readonly string[]; readonly seen: ReadonlyMap<string, SeenFile> }> {
  const directories: string[] = [];
  const seen = new Map<string, SeenFile>();
  for (let entry = await archive.next(); entry; entry = await archive.next()) {
    signal?.throwIfAborted();
    const { name, mode, size, type } = entry;
    const path = name.replace(/^\.\//, '').replace(/\/$/, '');
    if (type === 'directory') {
      directories.push(path);
    } else if (type === 'file') {
      let read = 0;
      const content = (async function* () {
        for await (const bytes of archive.content()) {
          read += bytes.length;
          yield bytes;
        }
      })();
      const stored = await store({ path, mode, size, content });
      if (read !== size) throw new Error(`${path} was read up to ${read} of ${size} bytes`);
      seen.set(path, stored);
    } else {
      throw new BackupProblem(
        'impossible',
        `The cluster holds ${path}, a ${type} that a backup cannot carry. Remove it from the data folder.`,
        { object: path },
      );
    }
  }
  return { directories, seen };
}

function refusal(error: pg.DatabaseError, damaged: readonly string[]): BackupProblem {
  if (error.code !== DATA_CORRUPTED) {
    return new BackupProblem('unavailable', `The server gave no backup: ${error.message}.`, { cause: error });
  }
  return new BackupProblem(
    'corrupt',
    `The server found damaged pages while it was backed up, in ${damaged.join(', ') || 'a file that it did not name'}: ${error.message}. Earlier backups are not affected: restore one beside the server before anything else. See docs/operations/backup.md, "Damaged pages".`,
    { cause: error, object: damaged[0] ?? 'database' },
  );
}
