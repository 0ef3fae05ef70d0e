import { withClient } from '../postgres/client.ts';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { AttachedObject } from '../repository/manifest.ts';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository } from '../repository/repository.ts';
import type { AttachedFault } from './copy.ts';

export interface RestoreAttachedOptions {
  readonly repository: Repository;
  /** Of the restored database. */
  readonly connectionString: string;
  /** In the object store. */
  readonly has: (key: string) => Promise<boolean>;
  readonly put: (key: string, content: AsyncIterable<Uint8Array>) => Promise<void>;
}

const row = z.object({ key: z.string(), filename: z.string() });

/**
 * Puts every object that a row names, and the store lacks, back into the store; nothing that is there is touched. Tells which
 * ones are nowhere, or not what they were.
 */
export async function restoreAttached(options: RestoreAttachedOptions): Promise<readonly AttachedFault[]> {
  const { repository, connectionString, has, put } = options;
  const faults: AttachedFault[] = [];
  for (const { key, filename } of await named(connectionString)) {
    if (await has(key)) continue;
    const object = await repository.getAttached(key);
    if (!object) {
      faults.push({ key, filename, words: 'is neither in the object store nor in the repository' });
      continue;
    }
    try {
      await put(key, checked(repository, object));
    } catch (error) {
      if (!(error instanceof BackupProblem)) throw error;
      faults.push({ key, filename, words: `cannot be restored: ${error.message}` });
    }
  }
  return faults;
}

async function named(connectionString: string): Promise<z.output<typeof row>[]> {
  return withClient(connectionString, 'calculaud restore', async (client) => {
    const { rows: tables } = await client.query(
      "select to_regclass('public.file_attachment') is not null as there",
    );
    if (!z.object({ there: z.boolean() }).parse(tables[0]).there) return [];
    const { rows } = await client.query(
      '/* restore.attached */ select s3_key as key, original_filename as filename from file_attachment order by id',
    );
    return z.array(row).parse(rows);
  });
}

async function* checked(
  repository: Repository,
  { key, sha256, chunks }: AttachedObject,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  for await (const chunk of repository.getContent(chunks)) {
    hash.update(chunk);
    yield chunk;
  }
  if (hash.digest('hex') !== sha256) {
    throw new BackupProblem('corrupt', `The content of ${key} is not what it was.`, { object: key });
  }
}
