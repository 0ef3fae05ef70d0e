import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { migrate } from '@calculaud/db/migrate';
import { aloneOnDatabase, inTransaction } from '@calculaud/db/migration-session';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { BackupProblem } from '../repository/problem.ts';
import { readArchive } from './archive-read.ts';
import { copyRows } from './export.ts';
import type { ExportManifest } from './manifest.ts';
import { withoutChecks } from './put-aside.ts';
import { RowSummary } from './row-summary.ts';
import { endedBy, explained, writeTextAlike } from './session.ts';
import { columnList, quoted } from './tables.ts';
import { type Match, matchTables, planTarget, schemaOf } from './target.ts';

export interface ImportPlan {
  readonly file: string;
  /** Of the file. */
  readonly bytes: number;
  readonly manifest: ExportManifest;
}

export interface ReadProgress {
  /** Of the file; it is read once to be checked, and once more for its rows. */
  readonly bytes: number;
  readonly total: number;
}

/** Reads an export and checks every byte of it, without any database. */
export async function planImport(
  file: string,
  options: { readonly signal?: AbortSignal; readonly onProgress?: (progress: ReadProgress) => void } = {},
): Promise<ImportPlan> {
  const { signal, onProgress } = options;
  const total = await sizeOf(file);
  const onBytes = counting(total, onProgress);
  return { file, bytes: total, manifest: await readArchive(file, { signal, onBytes }) };
}

export interface ImportProgress extends ReadProgress {
  /** 'check' before anything changes; 'rows' into the tables; 'compare' with the file, after the indexes are made. */
  readonly step: 'check' | 'rows' | 'compare';
}

export interface ImportOptions {
  readonly file: string;
  /** Of the owner of the tables. */
  readonly connectionString: string;
  readonly appVersion: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: ImportProgress) => void;
  readonly log?: (line: string) => void;
}

export interface ImportOutcome {
  readonly manifest: ExportManifest;
  readonly rows: number;
  /** Tables of others, which the export carries and this database lacks. */
  readonly skipped: readonly string[];
  /** Migrations that the export did not know, applied to its rows. */
  readonly migrated: readonly string[];
  /** Why these could not be applied: the rows are there all the same, and `calculaud db migrate` goes on. */
  readonly unfinished?: string;
}

/** How long a statement waits for somebody who works on a table. */
const LOCK_TIMEOUT_MS = 5000;

/**
 * Fills a database that nobody used yet with an export. An empty one gets the schema of the export first. All rows come in
 * one transaction, which is committed when every table reads back as the file has it and every rule holds; whatever fails
 * before leaves what was there. Then come the migrations that the export does not know.
 */
export async function importDatabase(options: ImportOptions): Promise<ImportOutcome> {
  const { file, connectionString, appVersion, signal, onProgress, log = () => undefined } = options;
  return explained(signal, async () => {
    const { manifest } = await planImport(file, {
      ...(signal && { signal }),
      onProgress: (progress) => onProgress?.({ step: 'check', ...progress }),
    });
    const target = await planTarget({ connectionString, manifest, signal });
    if (target.before.length > 0) await makeSchema(connectionString, manifest, log);
    signal?.throwIfAborted();
    const skipped = await aloneOnDatabase(
      { connectionString, log, lockTimeoutMs: LOCK_TIMEOUT_MS },
      (client) => endedBy(client, signal, () => inTransaction(client, () => fill(client, manifest, options))),
    );
    log('All rows are in, compared with the file, and committed.');
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    const done = { manifest, rows, skipped, migrated: target.after };
    try {
      await migrate({ connectionString, log, appliedBy: appVersion });
      return done;
    } catch (error) {
      return { ...done, migrated: [], unfinished: error instanceof Error ? error.message : String(error) };
    }
  });
}

/** The migrations of the export alone, without the rows that a new system begins with: those come with the export. */
async function makeSchema(
  connectionString: string,
  manifest: ExportManifest,
  log: (line: string) => void,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'calculaud-schema-'));
  try {
    for (const { file, sql } of await schemaOf(manifest)) await writeFile(join(directory, file), sql);
    await migrate({ connectionString, directory, log, appliedBy: manifest.appVersion });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function fill(
  client: pg.Client,
  manifest: ExportManifest,
  { file, signal, onProgress }: ImportOptions,
): Promise<readonly string[]> {
  await writeTextAlike(client);
  // For the indexes and the checks of foreign keys, which go through everything.
  await client.query(
    `set local lock_timeout = '${LOCK_TIMEOUT_MS}ms'; set local maintenance_work_mem = '128MB'`,
  );
  const { matches, skipped } = await matchTables(client, manifest);
  const tables = matches.map(({ table }) => table.name);
  const all = tables.map(quoted).join(', ');
  await client.query(`lock table ${all} in access exclusive mode`);
  // Somebody may have been faster than the lock.
  await matchTables(client, manifest);

  await withoutChecks(client, tables, async () => {
    // With new sequences, which go with a transaction that is rolled back; what `setval` does to old ones stays.
    await client.query(`truncate ${all} restart identity`);
    const total = await sizeOf(file);
    const onBytes = counting(total, (progress) => onProgress?.({ step: 'rows', ...progress }));
    const read = await readArchive(file, {
      signal,
      onBytes,
      onTable: async (name, rows) => {
        const match = matches.find(({ table }) => table.name === name);
        if (match) await copyInto(client, match, rows);
        else for await (const chunk of rows) void chunk;
      },
    });
    if (JSON.stringify(read) !== JSON.stringify(manifest)) {
      throw new BackupProblem(
        'busy',
        `Somebody put another file in the place of ${file} while it was imported. Nothing was changed. Run it again.`,
        { object: file },
      );
    }
  });
  await setPositions(client, manifest, tables);
  await client.query(`analyze ${all}`);
  await compare(client, matches, onProgress);
  return skipped;
}

async function copyInto(
  client: pg.Client,
  { table: { name, columns } }: Match,
  rows: AsyncIterable<Buffer>,
): Promise<void> {
  // Frozen: nobody else could see these rows before, and nobody has to look at them again to know that they are valid.
  const into = copyFrom(`copy ${quoted(name)} (${columnList(columns)}) from stdin with (freeze)`);
  await pipeline(rows, client.query(into));
}

async function setPositions(
  client: pg.Client,
  { sequences }: ExportManifest,
  tables: readonly string[],
): Promise<void> {
  for (const { table, column, position, used } of sequences) {
    if (!tables.includes(table)) continue;
    const { rows } = await client.query(
      `/* logical.position */ select setval(sequence::regclass, $3, $4)
       from pg_get_serial_sequence($1, $2) sequence where sequence is not null`,
      [quoted(table), column, position, used],
    );
    if (rows.length === 1) continue;
    throw new BackupProblem(
      'impossible',
      `The column ${table}.${column} is numbered in the export, and here it is not. Nothing was changed. Import into an empty database.`,
      { object: table },
    );
  }
}

/** What is in the tables, as another export would write it, with what the file has. */
async function compare(
  client: pg.Client,
  matches: readonly Match[],
  onProgress: ImportOptions['onProgress'],
): Promise<void> {
  const total = matches.reduce((sum, { exported }) => sum + exported.bytes, 0);
  let bytes = 0;
  for (const { table, exported } of matches) {
    const summary = new RowSummary();
    for await (const chunk of summary.through(copyRows(client, table))) {
      bytes += chunk.length;
      onProgress?.({ step: 'compare', bytes, total });
    }
    const { rows, sha256 } = summary.result();
    if (rows === exported.rows && sha256 === exported.sha256) continue;
    throw new BackupProblem(
      'corrupt',
      `The table ${table.name} does not read back as the file has it: ${rows} rows, and ${exported.rows} in the file. Nothing was changed. Report this; until then restore from a backup instead.`,
      { object: table.name },
    );
  }
}

function counting(
  total: number,
  onProgress: ((progress: ReadProgress) => void) | undefined,
): (bytes: number) => void {
  let bytes = 0;
  return (more) => {
    bytes += more;
    onProgress?.({ bytes, total });
  };
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    throw new BackupProblem('missing', `${file} cannot be read: ${String(error)}. Name an export.`, {
      object: file,
      cause: error,
    });
  }
}
