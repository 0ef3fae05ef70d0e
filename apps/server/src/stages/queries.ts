import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';
import { nestedCatalogue } from '../catalog/shapes.ts';
import type { PlacedStage } from './rules.ts';
import { stageJson } from './shapes.ts';

export async function getStage(
  db: Executor,
  id: number,
): Promise<{ json: string; version: number } | undefined> {
  const { rows } = await sql<{ json: string; version: number }>`/* stages.get */
    with ${nestedCatalogue}
    select ${stageJson('s', 't')}::text as json, s.version
    from stage s join stage_type_json t on t.id = s.stage_type_id
    where s.id = ${id}`.execute(db);
  return rows[0];
}

/** Locks the purpose of the stage: whoever edits below a purpose does, so that edits come one after the other. */
export async function lockPurposeOf(db: Executor, stageId: number): Promise<void> {
  await sql`/* stages.lock-purpose-of */
    select from purpose
    where id = (select p.purpose_id from stage s join purchase p on p.id = s.purchase_id where s.id = ${stageId})
    for no key update`.execute(db);
}

/** What an edit of a stage is judged by. */
export interface StageState {
  readonly id: number;
  readonly purpose_id: number;
  readonly purchase_id: number;
  readonly priority: number;
  readonly version: number;
  readonly value: string | null;
  readonly completion_date: string | null;
  readonly takes_value: boolean;
  readonly type_name: string;
}

/** To be called under the lock of the purpose; a statement of its own, so that it sees what others did before. */
export async function stateOf(db: Executor, id: number): Promise<StageState | undefined> {
  const { rows } = await sql<StageState>`/* stages.state */
    select s.id, p.purpose_id, s.purchase_id, s.priority, s.version, s.value, s.completion_date::text,
      t.value_required as takes_value, t.name as type_name
    from stage s join purchase p on p.id = s.purchase_id join stage_type t on t.id = s.stage_type_id
    where s.id = ${id}`.execute(db);
  return rows[0];
}

/** The chain that a stage stands in, under the same lock. */
export async function chainOf(db: Executor, purchaseId: number): Promise<readonly PlacedStage[]> {
  const { rows } = await sql<PlacedStage>`/* stages.chain */
    select id, priority, completion_date::text from stage where purchase_id = ${purchaseId}
    order by priority, id`.execute(db);
  return rows;
}

export interface StageValues {
  readonly value?: string | null | undefined;
  readonly completion_date?: string | null | undefined;
  readonly note?: string | null | undefined;
}

/** Writes the given columns, equal ones too: any edit touches the purpose. */
export async function updateStage(db: Executor, id: number, values: StageValues): Promise<void> {
  const assignments = (['value', 'completion_date', 'note'] as const).flatMap((column) => {
    const value = values[column];
    return value === undefined ? [] : [sql`${sql.ref(column)} = ${value}`];
  });
  if (assignments.length > 0) {
    await sql`/* stages.update */ update stage set ${sql.join(assignments)} where id = ${id}`.execute(db);
  }
}

export async function startStage(db: Executor, id: number): Promise<void> {
  await sql`/* stages.start */
    update stage set started_at = clock_timestamp(), started_by = acting_principal()
    where id = ${id} and started_at is null`.execute(db);
}
