import { withClient } from '../postgres/client.ts';
import type pg from 'pg';
import { z } from 'zod';
import type { AttachedIndex, Repository } from '../repository/repository.ts';

/** Opens what users attached, in the live object store; undefined when it is not there. */
export type OpenObject = (key: string) => Promise<AsyncIterable<Uint8Array> | undefined>;

export interface CopyOptions {
  readonly repository: Repository;
  /** Of the role for backups. */
  readonly connectionString: string;
  readonly open: OpenObject;
  readonly signal: AbortSignal;
  /** Of the repository: what need not be copied again. Filled here. */
  readonly index: AttachedIndex;
  /** Runs what writes while nothing is removed from the repository, when there is anything to copy. */
  readonly exclusively?: <T>(work: (lost: AbortSignal) => Promise<T>) => Promise<T>;
}

export interface AttachedFault {
  readonly key: string;
  readonly filename: string;
  readonly words: string;
}

export interface CopyOutcome {
  /** Everything that there was until then is in the repository. */
  readonly until: Date;
  readonly copied: number;
  readonly bytes: number;
  /** Of files that the database names and the live store lacks, or has otherwise: nobody can copy them. */
  readonly faults: readonly AttachedFault[];
}

const row = z.object({
  key: z.string(),
  filename: z.string().nullable(),
  size: z.coerce.number().nullable(),
});
const noted = z.object({ now: z.date() });

/**
 * What files own, and what was deleted and still waits in the store: a restore may go back to before its deletion. Keys are
 * never used twice, so what is in the repository is there for good.
 */
const OBJECTS = `/* backup.attached */
  select s3_key as key, original_filename as filename, file_size as size from file_attachment
  union all
  select s3_key, null, null from object_removal where due_at <= now()`;

/** Copies every attached object that the repository lacks, then tells the database up to when that is so. */
export async function copyAttached(options: CopyOptions): Promise<CopyOutcome> {
  const { repository, connectionString, signal, index, exclusively } = options;
  return withClient(connectionString, 'calculaud backup', async (client) => {
    const { until, wanted } = await objectsNow(client);
    const missing = wanted.filter(({ key }) => !index.has(key));
    const outcome =
      missing.length === 0
        ? { copied: 0, bytes: 0, faults: [] }
        : exclusively
          ? await exclusively(async (lost) => copy(missing, options, AbortSignal.any([signal, lost])))
          : await copy(missing, options, signal);
    await client.query(
      `/* backup.watermark */ insert into backup_watermark (repository, attached_until) values ($1, $2)
       on conflict (repository) do update set attached_until = excluded.attached_until, seen_at = now()`,
      [repository.id, until],
    );
    return { until, ...outcome };
  });
}

async function copy(
  missing: readonly z.output<typeof row>[],
  { repository, open, index }: CopyOptions,
  signal: AbortSignal,
): Promise<Omit<CopyOutcome, 'until'>> {
  let [copied, bytes] = [0, 0];
  const faults: AttachedFault[] = [];
  for (const { key, filename, size } of missing) {
    signal.throwIfAborted();
    const content = await open(key);
    if (content === undefined) {
      // One that waited for its removal may be gone by now.
      if (filename !== null) faults.push({ key, filename, words: 'is missing in the object store' });
      continue;
    }
    const stored = await repository.putContent(content);
    if (size !== null && stored.size !== size) {
      const words = `has ${stored.size} bytes in the object store, and ${size} in the database`;
      faults.push({ key, filename: filename ?? key, words });
      continue;
    }
    await repository.putAttached({
      key,
      size: stored.size,
      sha256: stored.sha256,
      chunks: [...stored.chunks],
    });
    index.add(key);
    copied += 1;
    bytes += stored.size;
  }
  return { copied, bytes, faults };
}

/** In one snapshot, and the time of it: whoever deletes what is seen here does so later. */
async function objectsNow(client: pg.Client): Promise<{ until: Date; wanted: z.output<typeof row>[] }> {
  await client.query('begin transaction isolation level repeatable read');
  const { rows: times } = await client.query('select now() as now');
  const { rows } = await client.query(OBJECTS);
  await client.query('commit');
  return { until: noted.parse(times[0]).now, wanted: z.array(row).parse(rows) };
}
