import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { ORIGIN, readLedger } from '@calculaud/db/ledger';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { z } from 'zod';
import { diskProblem, syncFolder } from '../postgres/durable-file.ts';
import { BackupProblem } from '../repository/problem.ts';
import { type ArchiveWriter, writeArchive } from './archive-write.ts';
import { EXPORT_FORMAT, type ExportedSequence, type ExportedTable, type ExportManifest } from './manifest.ts';
import { withTextSession } from './session.ts';
import { describeTables, quoted, rowsInOrder, type Table } from './tables.ts';

export interface ExportProgress {
  /** The table whose rows are being written. */
  readonly table: string;
  /** Of all tables so far, before compression. */
  readonly bytes: number;
  /** What the rows take in the database; a little more or less than what they take as text. */
  readonly total: number;
}

export interface ExportOptions {
  /** Of a role that may read everything: the owner, the application, or that for backups. */
  readonly connectionString: string;
  readonly appVersion: string;
  /** A file that does not exist yet, or whatever takes the bytes; that is ended, or destroyed when the export fails. */
  readonly out: Writable | string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ExportProgress) => void;
}

/**
 * Writes all tables, as they are in one moment, as one tar of compressed text that standard tools can open: the second kind
 * of backup, which shares nothing with the first but the database. A file gets its name when all of it is on the disk.
 */
export async function exportDatabase(options: ExportOptions): Promise<ExportManifest> {
  const { connectionString, out, signal } = options;
  const session = { application: 'calculaud export', signal };
  return withTextSession(connectionString, session, async (client) => {
    const found = await beginSnapshot(client);
    const to = (writable: Writable): Promise<ExportManifest> =>
      writeArchive(writable, { takenAt: found.takenAt, signal }, (writer) =>
        writeAll(client, found, writer, options),
      );
    const manifest = await (typeof out === 'string' ? intoFile(out, to) : to(out));
    await client.query('commit');
    return manifest;
  });
}

interface Snapshot {
  readonly takenAt: Date;
  readonly database: string;
  readonly postgresVersion: string;
  readonly migrations: ExportManifest['migrations'];
  readonly tables: readonly Table[];
  readonly left: readonly string[];
  readonly total: number;
}

const aboutRow = z.object({
  taken_at: z.date(),
  database: z.string(),
  version: z.string(),
  total: z.coerce.number(),
});

/** One snapshot, of tables that nobody alters or empties meanwhile: a truncated one would look empty in any snapshot. */
async function beginSnapshot(client: pg.Client): Promise<Snapshot> {
  const before = await describeTables(client);
  const tables = before.filter(({ readable }) => readable);
  await client.query('begin transaction isolation level repeatable read, read only');
  if (tables.length > 0) {
    await client.query(
      `lock table ${tables.map(({ name }) => quoted(name)).join(', ')} in access share mode`,
    );
  }
  // The first query after the locks: here the snapshot is taken.
  const { rows } = await client.query(
    `/* logical.about */ select clock_timestamp() as taken_at, current_database() as database,
       current_setting('server_version') as version,
       (select coalesce(sum(pg_table_size(oid::regclass)), 0)::bigint from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'r' and relname = any($1)) as total`,
    [tables.map(({ name }) => name)],
  );
  const about = aboutRow.parse(rows[0]);
  if (JSON.stringify(await describeTables(client)) !== JSON.stringify(before)) {
    throw new BackupProblem(
      'busy',
      'The schema changed while the export began: somebody migrates this database. Nothing was written. Export it when the migration is done.',
    );
  }
  const ledger = (await readLedger(client)) ?? [];
  if (ledger.length === 0) {
    throw new BackupProblem(
      'impossible',
      `The database ${about.database} is not one of Calculaud, or nothing was ever migrated into it: there is nothing to export. Look at DATABASE_URL.`,
      { object: about.database },
    );
  }
  return {
    takenAt: about.taken_at,
    database: about.database,
    postgresVersion: about.version,
    migrations: ledger
      .filter(({ number }) => number !== ORIGIN)
      .map(({ number, name, checksum }) => ({ number, name, checksum })),
    tables,
    left: before.filter(({ readable }) => !readable).map(({ name }) => name),
    total: about.total,
  };
}

async function writeAll(
  client: pg.Client,
  { takenAt, tables: wanted, left, total, ...about }: Snapshot,
  writer: ArchiveWriter,
  { appVersion, onProgress }: ExportOptions,
): Promise<ExportManifest> {
  const tables: ExportedTable[] = [];
  let bytes = 0;
  for (const table of wanted) {
    const { name, columns } = table;
    const told = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of copyRows(client, table)) {
        bytes += chunk.length;
        onProgress?.({ table: name, bytes, total });
        yield chunk;
      }
    };
    tables.push({ name, columns: [...columns], ...(await writer.addTable(name, told())) });
  }
  const manifest: ExportManifest = {
    format: EXPORT_FORMAT,
    takenAt: takenAt.toISOString(),
    appVersion,
    ...about,
    tables,
    sequences: await positions(client, tables),
    left: [...left],
  };
  await writer.finish(manifest);
  return manifest;
}

const bytesOf = z.instanceof(Buffer);

/** The rows of a table as COPY writes them, in one order on every server. */
export async function* copyRows(client: pg.Client, table: Table): AsyncGenerator<Buffer> {
  for await (const chunk of client.query(copyTo(`copy (${rowsInOrder(table)}) to stdout`))) {
    yield bytesOf.parse(chunk);
  }
}

const sequenceRow = z.object({ table: z.string(), column: z.string(), sequence: z.string() });
const positionRow = z.object({ position: z.string(), used: z.boolean() });

/** Positions are in no snapshot. Read after it, they are not behind any row in it. */
async function positions(
  client: pg.Client,
  tables: readonly { readonly name: string }[],
): Promise<ExportedSequence[]> {
  const { rows } = await client.query(
    `/* logical.sequences */
     select t.relname as table, a.attname as column, s.oid::regclass::text as sequence
     from pg_class s
     join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.refclassid = 'pg_class'::regclass
       and d.deptype in ('a', 'i')
     join pg_class t on t.oid = d.refobjid
     join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
     where s.relkind = 'S' and t.relnamespace = 'public'::regnamespace and t.relname = any($1)
     order by t.relname collate "C", a.attnum`,
    [tables.map(({ name }) => name)],
  );
  const found: ExportedSequence[] = [];
  for (const { table, column, sequence } of z.array(sequenceRow).parse(rows)) {
    // Its name comes quoted from the server.
    const { rows: at } = await client.query(
      `select last_value::text as position, is_called as used from ${sequence}`,
    );
    found.push({ table, column, ...positionRow.parse(at[0]) });
  }
  return found;
}

/** The file holds business data: nobody else reads it. */
const PRIVATE = 0o600;

async function intoFile<T>(path: string, write: (out: Writable) => Promise<T>): Promise<T> {
  refuseExisting(path);
  const unfinished = `${path}.${randomBytes(4).toString('hex')}.unfinished`;
  try {
    const result = await write(createWriteStream(unfinished, { flags: 'wx', mode: PRIVATE, flush: true }));
    refuseExisting(path);
    await rename(unfinished, path);
    await syncFolder(dirname(path));
    return result;
  } catch (error) {
    await rm(unfinished, { force: true });
    throw isOfDisk(error) ? diskProblem(path, error) : error;
  }
}

function refuseExisting(path: string): void {
  if (!existsSync(path)) return;
  throw new BackupProblem('impossible', `${path} is there already. Name another file, or remove it.`, {
    object: path,
  });
}

const OF_DISKS: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS']);

/** Connections break with system errors, too; those have no path. */
function isOfDisk(error: unknown): boolean {
  return error instanceof Error && ('path' in error || ('code' in error && OF_DISKS.has(error.code)));
}
