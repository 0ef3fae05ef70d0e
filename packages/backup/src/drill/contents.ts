import { withClient } from '../postgres/client.ts';
import type pg from 'pg';
import { z } from 'zod';
import { tableDigests } from '../logical/hash.ts';
import { newRecordName } from '../repository/record-name.ts';
import type { Repository } from '../repository/repository.ts';
import type { CheckResult } from './checks.ts';

/**
 * What was in the database at a point of its log, in the collection `notes` of a repository. It is taken where the database
 * lives, so that a restore is compared with what was there, and not with what was backed up.
 */
const contentsNote = z.strictObject({
  format: z.literal(1),
  takenAt: z.iso.datetime(),
  systemId: z.string(),
  /** Name and position of the restore point in the log. */
  point: z.string(),
  lsn: z.string(),
  tables: z.array(z.strictObject({ table: z.string(), rows: z.int(), digest: z.string() })),
});
export type ContentsNote = z.output<typeof contentsNote>;

const markRow = z.object({
  now: z.date(),
  system_id: z.string(),
  snapshot: z.string(),
  lsn: z.string(),
});

/** Marks a point in the log and notes what is there in that moment. Nobody waits for it. */
export async function noteContents(connectionString: string, signal: AbortSignal): Promise<ContentsNote> {
  return withClient(connectionString, 'calculaud drill', async (witness) => {
    for (let left = TRIES; ; left -= 1) {
      try {
        return await noteOnce(connectionString, witness, signal);
      } catch (error) {
        if (!(error instanceof CrossedError) || left === 0) throw error;
      }
    }
  });
}

/** With 200 changes a second one moment in five has one. */
const TRIES = 50;

/** Somebody changed something in the very moment. */
class CrossedError extends Error {
  constructor() {
    super('in none of many moments was nothing being changed');
  }
}

async function noteOnce(
  connectionString: string,
  witness: pg.Client,
  signal: AbortSignal,
): Promise<ContentsNote> {
  const point = `calculaud-note-${newRecordName(new Date())}`;
  let mark: z.output<typeof markRow> | undefined;
  const tables = await tableDigests(connectionString, {
    signal,
    // The snapshot of everything that follows is the one of this statement; the point comes some microseconds after it.
    first: async (client) => {
      const { rows } = await client.query(
        `/* drill.note */ select clock_timestamp() as now, pg_current_snapshot()::text as snapshot,
           pg_create_restore_point($1)::text as lsn,
           (select system_identifier::text from pg_control_system()) as system_id`,
        [point],
      );
      mark = markRow.parse(rows[0]);
      const { rows: after } = await witness.query('select pg_current_snapshot()::text as snapshot');
      const { snapshot } = z.object({ snapshot: z.string() }).parse(after[0]);
      // Nothing was under way before, and nothing has begun since: so all who see the point see the same.
      if (snapshot !== mark.snapshot || !snapshot.endsWith(':')) throw new CrossedError();
    },
  });
  if (!mark) throw new Error('nothing was marked');
  const { now, system_id: systemId, lsn } = mark;
  return { format: 1, takenAt: now.toISOString(), systemId, point, lsn, tables };
}

export async function storeNote(repository: Repository, note: ContentsNote): Promise<void> {
  await repository.putRecord('notes', newRecordName(new Date(note.takenAt)), contentsNote.parse(note));
}

/** The newest first. What cannot be understood is left out: it proves nothing. */
export async function newestNotes(repository: Repository, count: number): Promise<readonly ContentsNote[]> {
  const records = await repository.listRecords('notes', { newest: count });
  return records.flatMap(({ record }) => contentsNote.safeParse(record).data ?? []).toReversed();
}

/** Every table of a database that was restored to the point of the note: as many rows, and the same ones. */
export async function compareContents(
  connectionString: string,
  note: ContentsNote,
  signal: AbortSignal,
): Promise<CheckResult> {
  const there = new Map((await tableDigests(connectionString, { signal })).map((each) => [each.table, each]));
  const faults: string[] = [];
  for (const { table, rows: wanted, digest } of note.tables) {
    const found = there.get(table);
    if (!found) faults.push(`the table ${table} is missing`);
    else if (found.rows !== wanted) faults.push(`${table} has ${found.rows} rows instead of ${wanted}`);
    else if (found.digest !== digest)
      faults.push(`${table} has as many rows as it had, and not the same ones`);
  }
  const all = note.tables.reduce((sum, table) => sum + table.rows, 0);
  return {
    check: 'contents',
    looked: `${note.tables.length} tables with ${all} rows, as noted at ${note.takenAt}`,
    faults,
  };
}
