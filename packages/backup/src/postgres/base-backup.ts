import { createHash } from 'node:crypto';
import { once } from 'node:events';
import pg from 'pg';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { BackupProblem } from '../repository/problem.ts';
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
  /** Not faster than this, in kB/s, so that the server has time for others. */
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

const manifestText = z.object({
  Files: z.array(
    z.object({
      Path: z.string().optional(),
      'Encoded-Path': z.string().optional(),
      Size: z.int(),
      'Checksum-Algorithm': z.string().optional(),
      Checksum: z.string().optional(),
    }),
  ),
});

interface Seen {
  readonly size: number;
  readonly sha256: string;
}

/**
 * Copies the cluster of a running server. In the same pass every file is compared with what the server's manifest says of it:
 * rejects with 'corrupt', naming the file, when one differs or when the server finds a damaged page.
 */
export async function takeBaseBackup(options: BaseBackupOptions): Promise<BaseBackupOutcome> {
  const { connectionString, signal } = options;
  const client = await connectForReplication(connectionString);
  const abort = () => void client.end().catch(() => undefined);
  signal?.addEventListener('abort', abort);
  try {
    signal?.throwIfAborted();
    const { systemId } = await identify(client);
    const { rows } = await client.query('SHOW server_version');
    const { server_version: postgresVersion } = z.object({ server_version: z.string() }).parse(rows[0]);
    const copied = await copy(client, options);
    return { systemId, postgresVersion, ...copied };
  } catch (error) {
    signal?.throwIfAborted();
    throw explained(error);
  } finally {
    signal?.removeEventListener('abort', abort);
    await client.end().catch(() => undefined);
  }
}

async function copy(
  client: pg.Client,
  { label, store, signal, maxRateKb, includeWal = false }: BaseBackupOptions,
) {
  const stream = client.query(
    new CopyStream(
      `BASE_BACKUP (${[
        `LABEL '${label.replaceAll("'", "''")}'`,
        "CHECKPOINT 'fast'",
        // Never wait for somebody else's archive: a dead one held a backup up for more than ten minutes (backup.md, 2.5).
        `WAL ${includeWal}`,
        'WAIT false',
        "MANIFEST 'yes'",
        "MANIFEST_CHECKSUMS 'SHA256'",
        ...(maxRateKb === undefined ? [] : [`MAX_RATE ${maxRateKb}`]),
      ].join(', ')})`,
    ),
  );
  const archive = extract();
  const directories: string[] = [];
  const seen = new Map<string, Seen>();
  const unpacked = unpack(archive, store, directories, seen);
  // The reason comes out where it is awaited; until then it must not end the process.
  unpacked.catch(() => undefined);
  const manifest: Buffer[] = [];
  let part: 'archive' | 'manifest' = 'archive';
  for await (const message of stream.messages()) {
    signal?.throwIfAborted();
    if (message[0] === NEW_ARCHIVE) assertOneArchive(message);
    else if (message[0] === MANIFEST) part = 'manifest';
    else if (message[0] === DATA && part === 'manifest') manifest.push(message.subarray(1));
    else if (message[0] === DATA && !archive.write(message.subarray(1))) {
      await Promise.race([
        once(archive, 'drain'),
        unpacked.then(() => Promise.reject(new Error('the archive ended early'))),
      ]);
    }
  }
  archive.end();
  await unpacked;
  const [start, stop] = [stream.rows[0], stream.rows.at(-1)];
  const text = Buffer.concat(manifest);
  assertComplete(text, seen);
  return {
    timeline: z.coerce.number().int().parse(stop?.[1]),
    startLsn: z.string().parse(start?.[0]),
    stopLsn: z.string().parse(stop?.[0]),
    directories,
    manifest: text,
  };
}

function assertOneArchive(message: Buffer): void {
  const name = message.toString('utf8', 1, message.indexOf(0, 1));
  if (name === 'base.tar') return;
  throw new BackupProblem(
    'impossible',
    `The cluster has a tablespace of its own (${name}). Move its tables to the data folder (ALTER TABLE … SET TABLESPACE pg_default), or back it up with pgBackRest.`,
  );
}

async function unpack(
  archive: ReturnType<typeof extract>,
  store: BaseBackupOptions['store'],
  directories: string[],
  seen: Map<string, Seen>,
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
          const bytes = z.instanceof(Buffer).parse(part);
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
        `The cluster holds ${path}, a ${type ?? 'thing'} that a backup cannot carry.`,
      );
    }
  }
}

/** What the server says it sent is what came. */
function assertComplete(manifest: Buffer, seen: ReadonlyMap<string, Seen>): void {
  const damaged = (why: string, object: string) =>
    new BackupProblem(
      'corrupt',
      `The backup is not what the server said it sent: ${why}. Try again; if it stays, check the disk.`,
      {
        object,
      },
    );
  const text = manifest.toString('utf8');
  const end = text.lastIndexOf('"Manifest-Checksum"');
  const checksum = /"Manifest-Checksum":\s*"([0-9a-f]{64})"/.exec(text.slice(Math.max(end, 0)))?.[1];
  const own = createHash('sha256')
    .update(text.slice(0, Math.max(end, 0)))
    .digest('hex');
  if (checksum !== own) throw damaged('its manifest has another checksum', 'backup_manifest');
  const { Files: files } = manifestText.parse(JSON.parse(text));
  for (const file of files) {
    const path = file.Path ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString('utf8');
    const found = seen.get(path);
    // Segments of the log are in the list of no manifest.
    if (!found) throw damaged(`${path} is missing`, path);
    if (found.size !== file.Size)
      throw damaged(`${path} has ${found.size} instead of ${file.Size} bytes`, path);
    if (file['Checksum-Algorithm'] === 'SHA256' && file.Checksum !== found.sha256) {
      throw damaged(`${path} has another checksum`, path);
    }
  }
}

function explained(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) return error;
  if (error.code === DATA_CORRUPTED) {
    return new BackupProblem(
      'corrupt',
      `The server found damaged pages while it was backed up: ${error.message}. Earlier backups are not affected. See docs/operations/backup.md, "Damaged pages".`,
      { cause: error, object: 'database' },
    );
  }
  return new BackupProblem('unavailable', `The server gave no backup: ${error.message}.`, { cause: error });
}
