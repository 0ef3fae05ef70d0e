import { sql } from 'kysely';
import type { StageTypeReference } from '@calculaud/contract/flows';
import type { Executor } from '@calculaud/db/database';
import { nestedCatalogue } from '../catalog/shapes.ts';
import type { Page } from '../platform/paging.ts';
import { all, containing, jsonArray } from '../platform/sql.ts';
import { predefinedFlowEditJson, predefinedFlowJson } from './shapes.ts';

export type Format = 'stages' | 'edit';

const shapes = { stages: predefinedFlowJson, edit: predefinedFlowEditJson };

/** A page of flows by name with their stages, and how many there are in all: one statement. */
export async function listFlows(
  db: Executor,
  search: string | undefined,
  format: Format,
  page: Page,
): Promise<{ items: string; total: number }> {
  const matches = sql`from predefined_flow f where ${all(
    search ? [sql`f.flow_name ilike ${containing(search)}`] : [],
  )}`;
  const flows = sql`select ${shapes[format]} as json ${matches}
    order by f.flow_name, f.id limit ${page.limit} offset ${page.offset}`;
  const { rows } = await sql<{ items: string; total: number }>`/* flows.list */
    with ${nestedCatalogue}
    select ${jsonArray(flows)} as items, (select count(*)::integer ${matches}) as total`.execute(db);
  return rows[0] ?? { items: '[]', total: 0 };
}

export async function getFlow(db: Executor, id: number, format: Format): Promise<string | undefined> {
  const { rows } = await sql<{ json: string }>`/* flows.get */
    with ${nestedCatalogue}
    select ${shapes[format]}::text as json from predefined_flow f where f.id = ${id}`.execute(db);
  return rows[0]?.json;
}

export async function insertFlow(db: Executor, flowName: string): Promise<number> {
  const { rows } = await sql<{ id: number }>`/* flows.insert */
    insert into predefined_flow (flow_name) values (${flowName}) returning id`.execute(db);
  const [inserted] = rows;
  if (!inserted) {
    throw new Error('insert into predefined_flow returned no row');
  }
  return inserted.id;
}

/** Gives the flow another name or marks it as changed by this writer, and locks it; false when there is none. */
export async function updateFlow(db: Executor, id: number, flowName: string | undefined): Promise<boolean> {
  const { rows } = await sql`/* flows.update */
    update predefined_flow set flow_name = coalesce(${flowName ?? null}, flow_name) where id = ${id} returning id`.execute(
    db,
  );
  return rows.length > 0;
}

/** Locks the purposes whose purchases refer to the flow, in the order that all locks follow. */
export async function lockPurposesWith(db: Executor, flowId: number): Promise<void> {
  await sql`/* flows.lock-purposes */
    select from purpose where id in (select purpose_id from purchase where predefined_flow_id = ${flowId})
    order by id for no key update`.execute(db);
}

export async function deleteFlow(db: Executor, id: number): Promise<boolean> {
  const { numAffectedRows } = await sql`/* flows.delete */
    delete from predefined_flow where id = ${id}`.execute(db);
  return numAffectedRows === 1n;
}

/** The ids of the stage types in the order of the references; null where there is none. */
export async function findStageTypes(
  db: Executor,
  references: readonly StageTypeReference[],
): Promise<readonly (number | null)[]> {
  const ids = references.map((reference) => ('id' in reference ? reference.id : null));
  const names = references.map((reference) => ('name' in reference ? reference.name : null));
  const { rows } = await sql<{ id: number | null }>`/* flows.find-stage-types */
    select t.id
    from unnest(${ids}::integer[], ${names}::text[]) with ordinality as given (id, name, position)
    left join stage_type t on t.id = given.id or t.name = given.name
    order by position`.execute(db);
  return rows.map((row) => row.id);
}

export interface TemplateStage {
  readonly stage_type_id: number;
  readonly priority: number;
}

export async function replaceTemplate(
  db: Executor,
  id: number,
  stages: readonly TemplateStage[],
): Promise<void> {
  await sql`/* flows.delete-stages */
    delete from predefined_flow_stage where predefined_flow_id = ${id}`.execute(db);
  if (stages.length > 0) {
    await sql`/* flows.insert-stages */
      insert into predefined_flow_stage (predefined_flow_id, stage_type_id, priority)
      select ${id}, stage_type_id, priority
      from unnest(${stages.map((stage) => stage.stage_type_id)}::integer[],
        ${stages.map((stage) => stage.priority)}::integer[]) with ordinality as given (stage_type_id, priority, position)
      order by position`.execute(db);
  }
}
