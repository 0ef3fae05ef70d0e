import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';

interface Named {
  readonly id: number;
  readonly name: string;
}

/** Saves the principals of these subjects; their ids in the same order. */
export async function savePeople(
  tx: Executor,
  people: readonly { readonly subject: string; readonly name: string }[],
): Promise<readonly number[]> {
  const { rows } = await sql<{ id: number; subject: string }>`/* demo.save-people */
    insert into principal (kind, subject, name)
    select 'system', person.subject, person.name
    from json_to_recordset(${JSON.stringify(people)}::json) as person (subject text, name text)
    on conflict (kind, subject) do update set name = excluded.name
    returning id, subject`.execute(tx);
  const ids = new Map(rows.map(({ id, subject }) => [subject, id]));
  return people.map(({ subject }) => present(ids.get(subject), subject));
}

/** The nodes of these paths that exist. */
export async function nodesAt(
  tx: Executor,
  paths: readonly string[],
): Promise<readonly { readonly id: number; readonly path: string }[]> {
  const { rows } = await sql<{ id: number; path: string }>`/* demo.nodes */
    select id, path from hierarchy where path = any(${paths}::text[])`.execute(tx);
  return rows;
}

export interface NodeRow {
  readonly id: number;
  readonly parent_id: number | null;
  readonly type: string;
  readonly name: string;
  readonly path: string;
}

export async function insertNodes(tx: Executor, nodes: readonly NodeRow[]): Promise<void> {
  await sql`/* demo.insert-nodes */
    insert into hierarchy (id, parent_id, type, name, path)
    select id, parent_id, type, name, path
    from json_to_recordset(${JSON.stringify(nodes)}::json)
      as node (id integer, parent_id integer, type hierarchy_type, name text, path text)`.execute(tx);
}

/** Adds those that are missing; all of them by name. */
export async function saveNamed(
  tx: Executor,
  table: 'supplier' | 'service_type',
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<Named>`/* demo.save-named */
    with added as (
      insert into ${sql.table(table)} (name)
      select name from unnest(${names}::text[]) with ordinality as given (name, position) order by position
      on conflict (name) do nothing returning id, name
    )
    select id, name from added union all select id, name from ${sql.table(table)} where name = any(${names}::text[])`.execute(
    tx,
  );
  return new Map(rows.map(({ id, name }) => [name, id]));
}

export interface ServiceRow {
  readonly name: string;
  readonly service_type_id: number;
}

/** Adds those that are missing; all of them, in the order in which they are given. */
export async function saveServices(
  tx: Executor,
  services: readonly ServiceRow[],
): Promise<readonly number[]> {
  const { rows } = await sql<ServiceRow & { id: number }>`/* demo.save-services */
    with given as (
      select * from json_to_recordset(${JSON.stringify(services)}::json) as given (name text, service_type_id integer)
    ), added as (
      insert into service (name, service_type_id) select name, service_type_id from given
      on conflict (name, service_type_id) do nothing returning id, name, service_type_id
    )
    select id, name, service_type_id from added
    union all select id, name, service_type_id from service join given using (name, service_type_id)`.execute(
    tx,
  );
  return services.map(({ name, service_type_id }) =>
    present(
      rows.find((row) => row.name === name && row.service_type_id === service_type_id)?.id,
      `the service ${name}`,
    ),
  );
}

export interface Reference {
  readonly stage_types: readonly {
    readonly id: number;
    readonly name: string;
    readonly takes_value: boolean;
    readonly authority_id: number | null;
    readonly auto_flag_days: number | null;
  }[];
  readonly flow_stages: readonly {
    readonly flow_id: number;
    readonly stage_type_id: number;
    readonly priority: number;
  }[];
  readonly budgets: readonly Named[];
}

/** What an installation has by itself. The stage type of custom stages is made when it is missing. */
export async function reference(tx: Executor): Promise<Reference> {
  await sql`/* demo.custom-type */
    insert into stage_type (name, display_name, value_required, is_optional)
    select 'custom', 'Custom', false, true where not exists (select from stage_type where name = 'custom')
    on conflict (name) do nothing`.execute(tx);
  const { rows } = await sql<Reference>`/* demo.reference */
    select
      (select json_agg(json_build_object('id', id, 'name', name, 'takes_value', value_required,
        'authority_id', responsible_authority_id, 'auto_flag_days', auto_flag_days) order by id) from stage_type) as stage_types,
      (select coalesce(json_agg(json_build_object('flow_id', predefined_flow_id, 'stage_type_id', stage_type_id,
        'priority', priority) order by predefined_flow_id, priority, id), '[]') from predefined_flow_stage) as flow_stages,
      (select coalesce(json_agg(json_build_object('id', id, 'name', name)), '[]') from budget_source) as budgets`.execute(
    tx,
  );
  return present(rows[0], 'the reference data');
}

function present<T>(found: T | undefined, what: string): T {
  if (found === undefined) throw new Error(`${what} was saved and is not there`);
  return found;
}
