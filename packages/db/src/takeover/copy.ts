import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { Log } from '../migration-session.ts';
import { restoreScript } from './restore-script.ts';

interface CopiedTable {
  readonly table: string;
  readonly file: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** Of `manifest.json`, which is written last: a folder without it holds no finished copy. */
interface Manifest {
  readonly format: 1;
  readonly database: string;
  readonly server_version: string;
  readonly predecessor_version: string;
  readonly taken_at: string;
  readonly tables: readonly CopiedTable[];
}

interface Copy {
  readonly folder: string;
  /** Of the manifest, which names the checksums of all files. */
  readonly sha256: string;
}

interface CopyOptions {
  readonly into: string;
  readonly version: string;
  readonly tables: readonly string[];
  readonly log: Log;
}

const NEWLINE = 10;
/** The files hold business data: nobody else reads them. */
const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;

/**
 * Writes every given table to a file of its own in a new folder below the given one, reads the files back, and compares
 * rows and checksums. `psql -f restore.sql` in that folder makes the same tables again in an empty database.
 */
export async function copyTables(client: pg.Client, options: CopyOptions): Promise<Copy> {
  const { rows } = await client.query<{ database: string; server: string; now: Date }>(
    "select current_database() as database, current_setting('server_version') as server, clock_timestamp() as now",
  );
  const [facts] = rows;
  if (facts === undefined) throw new Error('The server did not answer.');
  const taken_at = facts.now.toISOString();
  const folder = join(options.into, `predecessor-${taken_at.replaceAll(/[:.]/g, '-')}`);
  await mkdir(options.into, { recursive: true, mode: PRIVATE_FOLDER });
  await mkdir(folder, { mode: PRIVATE_FOLDER });

  await client.query('set extra_float_digits = 1');
  const tables: CopiedTable[] = [];
  for (const table of options.tables) {
    const copied = await copyTable(client, table, folder);
    tables.push(copied);
    options.log(`Copied ${table}: ${copied.rows} rows, ${copied.bytes} bytes.`);
  }
  await writeDurably(join(folder, 'restore.sql'), await restoreScript(client, options.tables));
  for (const copied of tables) await verify(folder, copied);

  const manifest: Manifest = {
    format: 1,
    database: facts.database,
    server_version: facts.server,
    predecessor_version: options.version,
    taken_at,
    tables,
  };
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeDurably(join(folder, 'manifest.json'), text);
  await syncFolder(folder);
  options.log(`Verified the copy in ${folder}.`);
  return { folder, sha256: createHash('sha256').update(text).digest('hex') };
}

async function copyTable(client: pg.Client, table: string, folder: string): Promise<CopiedTable> {
  const { rows } = await client.query<{ rows: string; name: string }>(
    `select (select count(*) from ${quoted(table)}) as rows`,
  );
  const file = `${table.replaceAll(/[^\w-]/g, '_')}.copy`;
  const summary = new Summary();
  await pipeline(
    client.query(copyTo(`copy ${quoted(table)} to stdout`)),
    (chunks) => summary.through(chunks),
    createWriteStream(join(folder, file), { flags: 'wx', mode: PRIVATE_FILE, flush: true }),
  );
  const expected = Number(rows[0]?.rows);
  if (summary.rows !== expected) {
    throw new Error(`The copy of ${table} has ${summary.rows} rows instead of ${expected}.`);
  }
  return { table, file, ...summary.result() };
}

/** What is on the disk, and not what was meant to be. */
async function verify(folder: string, copied: CopiedTable): Promise<void> {
  const summary = new Summary();
  for await (const chunk of summary.through(createReadStream(join(folder, copied.file)))) void chunk;
  const { rows, bytes, sha256 } = summary.result();
  if (rows !== copied.rows || bytes !== copied.bytes || sha256 !== copied.sha256) {
    throw new Error(
      `The copy of ${copied.table} reads back differently from what was written: ${copied.file}.`,
    );
  }
}

/** Rows are lines: COPY writes a line break inside a value as \n. */
class Summary {
  rows = 0;
  #bytes = 0;
  readonly #hash = createHash('sha256');

  async *through(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#hash.update(chunk);
      this.#bytes += chunk.length;
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) this.rows += 1;
      yield chunk;
    }
  }

  result(): { rows: number; bytes: number; sha256: string } {
    return { rows: this.rows, bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'wx', mode: PRIVATE_FILE, flush: true });
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function quoted(name: string): string {
  return `public."${name.replaceAll('"', '""')}"`;
}
