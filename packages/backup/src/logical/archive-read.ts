import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { BackupProblem } from '../repository/problem.ts';
import { ArchiveEntries, type EntriesOptions } from './archive-entries.ts';
import {
  EXPORT_FORMAT,
  type ExportedTable,
  type ExportManifest,
  exportManifest,
  FIRST_LINE,
  MANIFEST,
  partOf,
  README,
  SUMS,
} from './manifest.ts';
import { RowSummary } from './row-summary.ts';

/**
 * Is given each table as it comes by, and reads its rows to the end. They are known to be what was written only when the
 * whole file has been read: what is done with them until then has to be undone if it is not.
 */
type TakeTable = (name: string, rows: AsyncIterable<Buffer>) => Promise<void>;

interface ReadOptions extends EntriesOptions {
  readonly onTable?: TakeTable;
}

type ReadTable = Omit<ExportedTable, 'columns'>;

/** Reads an export to its end and checks all of it. Memory does not grow with what is in it. */
export async function readArchive(
  file: string,
  { signal, onBytes, onTable = readThrough }: ReadOptions = {},
): Promise<ExportManifest> {
  signal?.throwIfAborted();
  const entries = new ArchiveEntries(file, { signal, onBytes });
  try {
    await entries.advance();
    await readFirst(entries, file);
    const tables: ReadTable[] = [];
    for (let next = nextTable(entries); next !== undefined; next = nextTable(entries)) {
      tables.push(await readTable(entries, next, onTable));
    }
    const manifest = parseManifest(await entries.text(MANIFEST), entries, file);
    const found = entries.sums;
    const written = await entries.text(SUMS);
    if (written !== found) {
      throw entries.corrupt(firstDifference(found, written), `it is not what was written (${SUMS})`);
    }
    if (entries.name !== undefined) throw entries.corrupt(entries.name, 'it comes after the end');
    compare(manifest, tables, entries);
    return manifest;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    entries.close();
  }
}

async function readThrough(_name: string, rows: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of rows) void chunk;
}

async function readFirst(entries: ArchiveEntries, file: string): Promise<void> {
  if (entries.name === undefined) throw entries.foreign('it is empty');
  if (entries.name !== README) throw entries.foreign(`it begins with ${entries.name}`);
  const [line = ''] = (await entries.text(README)).split('\n');
  const format = FIRST_LINE.exec(line)?.[1];
  if (format === undefined) throw entries.foreign(`it begins with "${line.slice(0, 60)}"`);
  if (Number(format) !== EXPORT_FORMAT) throw unknownFormat(file, format);
}

function nextTable({ name = '' }: ArchiveEntries): string | undefined {
  return partOf(name)?.table;
}

async function readTable(entries: ArchiveEntries, name: string, onTable: TakeTable): Promise<ReadTable> {
  const summary = new RowSummary();
  let parts = 0;
  const rows = async function* (): AsyncGenerator<Buffer> {
    for (let file = entries.name; file !== undefined && nextTable(entries) === name; file = entries.name) {
      parts += 1;
      if (partOf(file)?.part !== parts) throw entries.corrupt(file, `part ${parts} should be in its place`);
      yield* unzipped(entries, file);
    }
  };
  await onTable(name, summary.through(rows()));
  return { name, ...summary.result(), parts };
}

async function* unzipped(entries: ArchiveEntries, file: string): AsyncGenerator<Buffer> {
  const rows = createGunzip();
  pipeline(entries.content(), rows, () => undefined);
  try {
    for await (const chunk of rows) yield z.instanceof(Buffer).parse(chunk);
  } catch (error) {
    if (error instanceof BackupProblem) throw error;
    throw entries.corrupt(file, error instanceof Error ? error.message : String(error), error);
  }
}

const anyFormat = z.looseObject({ format: z.int() });

function parseManifest(text: string, entries: ArchiveEntries, file: string): ExportManifest {
  const found = z
    .string()
    .transform((json, context): unknown => {
      try {
        return JSON.parse(json);
      } catch (error) {
        context.addIssue(String(error));
        return z.NEVER;
      }
    })
    .pipe(anyFormat)
    .safeParse(text);
  if (!found.success) throw entries.corrupt(MANIFEST, z.prettifyError(found.error), found.error);
  const { format } = found.data;
  if (format !== EXPORT_FORMAT) throw unknownFormat(file, String(format));
  const manifest = exportManifest.safeParse(found.data);
  if (!manifest.success) throw entries.corrupt(MANIFEST, z.prettifyError(manifest.error), manifest.error);
  return manifest.data;
}

function unknownFormat(file: string, format: string): BackupProblem {
  return new BackupProblem(
    'unknown-format',
    `${file} has the format ${format}, and this version of Calculaud reads the format ${EXPORT_FORMAT} only. Import it with the version that wrote it or a newer one.`,
    { object: file },
  );
}

function firstDifference(found: string, written: string): string {
  const lines = new Set(written.split('\n'));
  const line = found.split('\n').find((one) => !lines.has(one)) ?? '';
  return line.split('  ')[1] ?? 'the list itself';
}

function compare(manifest: ExportManifest, read: readonly ReadTable[], entries: ArchiveEntries): void {
  const named = manifest.tables.filter(({ parts }) => parts > 0);
  if (new Set(manifest.tables.map(({ name }) => name)).size < manifest.tables.length) {
    throw entries.corrupt(MANIFEST, 'it names a table twice');
  }
  for (const { name, rows, bytes, sha256, parts } of read) {
    const told = named.find((table) => table.name === name);
    if (told?.rows === rows && told.bytes === bytes && told.sha256 === sha256 && told.parts === parts)
      continue;
    throw entries.corrupt(`table ${name}`, 'its rows are not those that the manifest tells of');
  }
  const missing = named.find(({ name }) => !read.some((table) => table.name === name));
  if (missing) throw entries.corrupt(`table ${missing.name}`, 'its rows are missing');
  const lying = manifest.tables.find(({ parts, rows, bytes }) => parts === 0 && (rows > 0 || bytes > 0));
  if (lying) throw entries.corrupt(`table ${lying.name}`, 'its rows are missing');
}
