import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface MigrationName {
  readonly number: number;
  readonly name: string;
}

export interface Migration extends MigrationName {
  readonly file: string;
  readonly sql: string;
  readonly checksum: string;
  /** Code of before cannot run on the schema that this makes. */
  readonly breaking: boolean;
  /** Runs statement by statement, as `create index concurrently` demands; each must bear being run again. */
  readonly outsideTransaction: boolean;
}

const FILE_NAME = /^(\d{4})_([a-z0-9_]+)\.sql$/;

/** The same from the sources and from a bundle, where `import.meta.url` goes on naming the source. */
export function migrationsDirectory(): string {
  return fileURLToPath(new URL('../migrations/', import.meta.url));
}

/** The migrations that this code knows, in order, without reading them. */
export async function migrationNames(directory = migrationsDirectory()): Promise<MigrationName[]> {
  const names = (await readdir(directory)).filter((file) => file.endsWith('.sql')).toSorted();
  const found = names.map((file) => {
    const [, number, name] = FILE_NAME.exec(file) ?? [];
    if (number === undefined || name === undefined) {
      throw new Error(`${file} is not named like a migration (NNNN_name.sql, lower case).`);
    }
    return { number: Number(number), name };
  });
  found.forEach(({ number }, index) => {
    if (number < 1) throw new Error('Migrations are numbered from 0001.');
    if (found[index - 1]?.number === number) throw new Error(`Two migrations have the number ${number}.`);
  });
  return found;
}

export async function readMigrations(directory = migrationsDirectory()): Promise<Migration[]> {
  const names = await migrationNames(directory);
  return Promise.all(
    names.map(async ({ number, name }) => {
      const file = `${String(number).padStart(4, '0')}_${name}.sql`;
      const sql = await readFile(join(directory, file), 'utf8');
      return {
        number,
        name,
        file,
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
        breaking: hasMark(sql, 'breaking'),
        outsideTransaction: hasMark(sql, 'no-transaction'),
      };
    }),
  );
}

/** Marks stand in the comment lines that open the file. */
function hasMark(sql: string, mark: string): boolean {
  const header = /^(?:\s*--[^\n]*\n|\s*\n)*/.exec(sql)?.[0] ?? '';
  return header.split('\n').some((line) => line.trim() === `-- calculaud: ${mark}`);
}
