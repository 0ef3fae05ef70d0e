import { createHash } from 'node:crypto';
import pg from 'pg';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { BackupProblem } from '../repository/problem.ts';
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
  /** Called for one file after the other; reads its content to the end. */
  readonly store: (file: BaseBackupFile) => Promise<void>;
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

type Extract = ReturnType<typeof extract>;
const bytesOf = z.instanceof(Buffer);
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
  const { store, signal } = options;
  const stream = client.query(new CopyStream(command(options)));
  const archive = extract();
  const directories: string[] = [];
  const seen = new Map<string, SeenFile>();
  const failures: unknown[] = [];
  // Whichever side fails first is the reason; it ends the other one.
  const fail = (reason: unknown): undefined => {
    failures.push(reason);
    // Without an error, who reads a file from it would wait for ever.
    archive.destroy(reason instanceof Error ? reason : new Error(String(reason)));
    abandon(client);
  };
  const abort = () => fail(signal?.reason);
  signal?.addEventListener('abort', abort);
  const [manifest] = await Promise.all([
    feed(stream, archive).catch(fail),
    unpack(archive, { store, directories, seen }).catch(fail),
  ]);
  signal?.removeEventListener('abort', abort);
  if (!manifest || failures.length > 0) throw failures[0];
  assertAsAnnounced(manifest, { systemId, seen });
  const [startLsn] = positionRow.parse(stream.rows[0]);
  const [stopLsn, timeline] = positionRow.parse(stream.rows.at(-1));
  return { timeline, startLsn, stopLsn, directories, manifest };
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

/** Takes what the server sends: the archive, then its manifest, which comes back. */
async function feed(stream: CopyStream, archive: Extract): Promise<Buffer> {
  const manifest: Buffer[] = [];
  let part: 'archive' | 'manifest' = 'archive';
  for await (const message of stream.messages()) {
    if (message[0] === NEW_ARCHIVE) assertMainArchive(message);
    else if (message[0] === MANIFEST) part = 'manifest';
    else if (message[0] !== DATA) continue;
    else if (part === 'manifest') manifest.push(message.subarray(1));
    else if (!archive.write(message.subarray(1))) await drained(archive);
  }
  archive.end();
  return Buffer.concat(manifest);
}

/** Or destroyed: then nothing will be read from it any more. */
async function drained(archive: Extract): Promise<void> {
  if (archive.destroyed) return;
  await new Promise<void>((resolve) => {
    const go = () => {
      archive.off('drain', go);
      archive.off('close', go);
      resolve();
    };
    archive.on('drain', go);
    archive.on('close', go);
  });
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
  archive: Extract,
  {
    store,
    directories,
    seen,
  }: {
    readonly store: BaseBackupOptions['store'];
    readonly directories: string[];
    readonly seen: Map<string, SeenFile>;
  },
): Promise<void> {
  for await (const entry of archive) {
    const { name, mode = 0o600, size = 0, type } = entry.header;
    const path = name.replace(/^\.\//, '').replace(/\/$/, '');
    if (type === 'directory') {
      directories.push(path);
      entry.resume();
    } else if (type === 'file') {
      const hash = createHash('sha256');
      let read = 0;
      const content = (async function* () {
        for await (const part of entry) {
          const bytes = bytesOf.parse(part);
          hash.update(bytes);
          read += bytes.length;
          yield bytes;
        }
      })();
      await store({ path, mode, size, content });
      if (read !== size) throw new Error(`${path} was read up to ${read} of ${size} bytes`);
      seen.set(path, { size, sha256: hash.digest('hex') });
    } else {
      throw new BackupProblem(
        'impossible',
        `The cluster holds ${path}, a ${type ?? 'thing'} that a backup cannot carry. Remove it from the data folder.`,
        { object: path },
      );
    }
  }
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
