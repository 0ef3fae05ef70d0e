import { z } from 'zod';

/** The version that is written. Readers refuse any other one. */
export const EXPORT_FORMAT = 1;

/** The first line of the first file: it says what this is before anything else is read. */
export const FIRST_LINE = /^Calculaud export, format (\d{1,9})$/;

export const README = 'README.txt';
export const MANIFEST = 'manifest.json';
/** The last file: with it the export is complete. `sha256sum -c` reads it. */
export const SUMS = 'SHA256SUMS';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(0);
const name = z.string().min(1).max(63);

const exportedTable = z.strictObject({
  name,
  /** In the order of the file. */
  columns: z.array(z.strictObject({ name, type: z.string().min(1) })),
  rows: count,
  /** Of its rows as text, all parts together, before compression. */
  bytes: count,
  sha256,
  parts: count,
});
export type ExportedTable = z.output<typeof exportedTable>;

const exportedSequence = z.strictObject({
  /** The column that it numbers; a sequence is found by it, whatever its own name is. */
  table: name,
  column: name,
  position: z.string().regex(/^-?\d{1,19}$/),
  /** Whether the position was given to somebody. */
  used: z.boolean(),
});
export type ExportedSequence = z.output<typeof exportedSequence>;

export const exportManifest = z.strictObject({
  format: z.literal(EXPORT_FORMAT),
  /** Of the one snapshot that everything was read in. */
  takenAt: z.iso.datetime(),
  appVersion: z.string(),
  postgresVersion: z.string(),
  database: z.string(),
  /** What the schema is made of, in order; an import needs the very same. */
  migrations: z.array(z.strictObject({ number: count, name: z.string(), checksum: sha256 })).min(1),
  tables: z.array(exportedTable),
  sequences: z.array(exportedSequence),
  /** Tables of others, which the role of the export may not read. */
  left: z.array(z.string()),
});
export type ExportManifest = z.output<typeof exportManifest>;

export interface TablePart {
  readonly table: string;
  readonly part: number;
}

/** Names of tables can be anything; those of files are letters, digits and signs that every system bears. */
export function partName({ table, part }: TablePart): string {
  return `tables/${encodeURIComponent(table)}.${String(part).padStart(4, '0')}.tsv.gz`;
}

/** Undefined when no part is called so. */
export function partOf(file: string): TablePart | undefined {
  const [, encoded, digits] = /^tables\/([^/]+)\.(\d{4,9})\.tsv\.gz$/.exec(file) ?? [];
  if (encoded === undefined || digits === undefined) return undefined;
  try {
    const found = { table: decodeURIComponent(encoded), part: Number(digits) };
    return partName(found) === file ? found : undefined;
  } catch {
    // No such text was ever encoded.
    return undefined;
  }
}

export function readmeText(takenAt: string): string {
  return `Calculaud export, format ${EXPORT_FORMAT}
Taken at ${takenAt}. Everything in the database at that moment; files that users attached are not in it.

\`calculaud import\` reads it. Without Calculaud, any tar, gzip and PostgreSQL do:
  sha256sum -c SHA256SUMS            whether all of it is here, as it was written
  cat tables/NAME.*.tsv.gz | gunzip  the rows of a table, as PostgreSQL's COPY … FROM reads them (text format, UTF-8)
manifest.json says which columns these are, how many rows there must be, and where the numbering of rows goes on.
`;
}
