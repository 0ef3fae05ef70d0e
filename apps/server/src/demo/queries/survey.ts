import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';

/** What the demonstration has, of what a person might have built upon it. */
export const demoEntities = [
  'purpose',
  'file',
  'supplier',
  'service',
  'service_type',
  'hierarchy',
  'stage_type',
] as const;

export type DemoEntity = (typeof demoEntities)[number];

/** A row that the demonstration made. */
export interface DemoRow {
  readonly entity: DemoEntity;
  readonly id: number;
  readonly name: string;
  /** What people built upon it, by kind; empty: nothing, so it can go. */
  readonly holds: Readonly<Record<string, number>>;
}

/** Who acted for the demonstration. */
const demo = sql`demo as materialized (
  select id from principal
  where kind = 'system' and (subject = 'demonstration' or starts_with(subject, 'demonstration:'))
)`;
/** Whoever is no part of the system itself; without sign-in everybody is `bypass`. */
const people = sql`people as materialized (
  select id from principal where kind <> 'system' or subject = 'bypass'
)`;
/** An unknown author may be a person. */
const byDemo = (table: string) => sql`${sql.ref(`${table}.created_by`)} in (select id from demo)`;
const byPeople = (table: string) => sql`(${byDemo(table)}) is not true`;

/**
 * All that the demonstration made, each row with what stands upon it once everything else is gone that can go. A purpose
 * is held by what people put into it and, unless edited ones go, too, by what they changed or removed. The rest is held
 * by records that stay.
 */
export async function surveyDemo(
  db: Executor,
  { edited }: { readonly edited: boolean },
): Promise<readonly DemoRow[]> {
  const { rows } = await sql<DemoRow>`/* demo.survey */
    with recursive ${demo}, ${people}, own as materialized (
      select o.id, o.description as name from purpose o where ${byDemo('o')}
    ), addition as materialized (
      select p.purpose_id, 'purchase' as kind from purchase p join own on own.id = p.purpose_id where ${byPeople('p')}
      union all
      select p.purpose_id, 'cost' from cost c join purchase p on p.id = c.purchase_id join own on own.id = p.purpose_id
        where ${byPeople('c')}
      union all
      select p.purpose_id, 'stage' from stage s join purchase p on p.id = s.purchase_id join own on own.id = p.purpose_id
        where ${byPeople('s')}
      union all
      select c.purpose_id, 'content' from purpose_content c join own on own.id = c.purpose_id where ${byPeople('c')}
      union all
      select l.purpose_id, 'file' from purpose_file_attachment l join own on own.id = l.purpose_id
        join file_attachment f on f.id = l.file_attachment_id where ${byPeople('f')}
    ), part (entity, id, purpose_id) as (
      select 'purpose', id, id from own
      union all select 'purchase', p.id, p.purpose_id from purchase p join own on own.id = p.purpose_id
      union all select 'stage', s.id, p.purpose_id from stage s join purchase p on p.id = s.purchase_id
        join own on own.id = p.purpose_id
      union all select 'cost', c.id, p.purpose_id from cost c join purchase p on p.id = c.purchase_id
        join own on own.id = p.purpose_id
      union all select 'purpose_content', c.id, c.purpose_id from purpose_content c join own on own.id = c.purpose_id
    ), edit as materialized (
      select part.purpose_id from part join audit_entry a on a.entity = part.entity and a.entity_id = part.id
      where not ${edited} and a.action = 'update' and a.principal_id in (select id from people)
      union
      -- Of what belonged to a purpose, or to a purchase of it that is still there.
      select own.id from audit_entry a
      left join purchase p on p.id = (a.before ->> 'purchase_id')::integer
      join own on own.id = coalesce((a.before ->> 'purpose_id')::integer, p.purpose_id)
      where not ${edited} and a.action = 'delete' and a.principal_id in (select id from people)
        and a.entity in ('purchase', 'stage', 'cost', 'purpose_content', 'purpose_file_attachment')
    ), going as materialized (
      select id from own except select purpose_id from addition except select purpose_id from edit
    ), user_of (entity, id, kind) as materialized (
      select 'purpose', purpose_id, kind from addition
      union all
      select 'purpose', purpose_id, 'edit' from edit
      union all
      select 'file', f.id, 'purpose' from file_attachment f join purpose_file_attachment l on l.file_attachment_id = f.id
        where ${byDemo('f')} and l.purpose_id not in (select id from going)
      union all
      select 'file', f.id, 'supplier' from file_attachment f join supplier s on s.file_icon_id = f.id where ${byDemo('f')}
      union all
      select 'supplier', s.id, 'purpose' from supplier s join purpose o on o.supplier_id = s.id
        where ${byDemo('s')} and o.id not in (select id from going)
      union all
      select 'supplier', s.id, 'icon' from supplier s where ${byDemo('s')} and s.file_icon_id is not null
      union all
      select 'service', s.id, 'purpose' from service s join purpose_content c on c.service_id = s.id
        where ${byDemo('s')} and c.purpose_id not in (select id from going)
      union all
      select 'stage_type', t.id, 'stage' from stage_type t join stage s on s.stage_type_id = t.id
        join purchase p on p.id = s.purchase_id
        where ${byDemo('t')} and p.purpose_id not in (select id from going)
      union all
      select 'stage_type', t.id, 'predefined flow' from stage_type t join predefined_flow_stage s on s.stage_type_id = t.id
        where ${byDemo('t')}
      union all
      select 'hierarchy', h.id, 'purpose' from hierarchy h join purpose o on o.hierarchy_id = h.id
        where ${byDemo('h')} and o.id not in (select id from going)
      union all
      select 'hierarchy', h.id, 'flow rule' from hierarchy h join flow_rule r on r.conditions -> 'hierarchy_ids' @> to_jsonb(h.id)
        where ${byDemo('h')}
      union all
      select 'service_type', t.id, 'purpose' from service_type t join purpose o on o.service_type_id = t.id
        where ${byDemo('t')} and o.id not in (select id from going)
      union all
      select 'service_type', t.id, 'flow rule' from service_type t
        join flow_rule r on r.conditions -> 'service_type_ids' @> to_jsonb(t.id)
        where ${byDemo('t')}
    ), staying_node (id, parent_id) as materialized (
      -- With the node above each: it stays, too, and so on upwards.
      select h.id, h.parent_id from hierarchy h
      where ${byPeople('h')} or h.id in (select id from user_of where entity = 'hierarchy')
      union
      select h.id, h.parent_id from staying_node join hierarchy h on h.id = staying_node.parent_id
    ), staying_service as (
      select s.service_type_id from service s
      where ${byPeople('s')} or s.id in (select id from user_of where entity = 'service')
    ), holder (entity, id, kind) as (
      select * from user_of
      union all select 'hierarchy', parent_id, 'node' from staying_node
      union all select 'service_type', service_type_id, 'service' from staying_service
    ), held as (
      select entity, id, json_object_agg(kind, count order by kind) as holds
      from (select entity, id, kind, count(*)::integer as count from holder group by entity, id, kind) counted
      group by entity, id
    )
    select made.entity, made.id, made.name, coalesce(held.holds, '{}') as holds
    from (
      select 'purpose' as entity, id, coalesce(name, '') as name from own
      union all select 'file', f.id, f.original_filename from file_attachment f where ${byDemo('f')}
      union all select 'supplier', s.id, s.name from supplier s where ${byDemo('s')}
      union all select 'service', s.id, s.name from service s where ${byDemo('s')}
      union all select 'service_type', t.id, t.name from service_type t where ${byDemo('t')}
      union all select 'hierarchy', h.id, h.path from hierarchy h where ${byDemo('h')}
      union all select 'stage_type', t.id, t.name from stage_type t where ${byDemo('t')}
    ) made
    left join held using (entity, id)
    order by made.entity, made.id`.execute(db);
  return rows;
}

/** Nobody edits or comes to need these rows from now on, so that a survey after it holds until the end. */
export async function lockMade(tx: Executor): Promise<void> {
  await sql`/* demo.lock-purposes */
    with ${demo} select from purpose where ${byDemo('purpose')} order by id for update`.execute(tx);
  await sql`/* demo.lock-files */
    with ${demo} select from file_attachment where ${byDemo('file_attachment')} order by id for update`.execute(
    tx,
  );
  await sql`/* demo.lock-suppliers */
    with ${demo} select from supplier where ${byDemo('supplier')} order by id for update`.execute(tx);
  await sql`/* demo.lock-service-types */
    with ${demo} select from service_type where ${byDemo('service_type')} order by id for update`.execute(tx);
  await sql`/* demo.lock-services */
    with ${demo} select from service where ${byDemo('service')} order by id for update`.execute(tx);
  await sql`/* demo.lock-nodes */
    with ${demo} select from hierarchy where ${byDemo('hierarchy')} order by id for update`.execute(tx);
  await sql`/* demo.lock-stage-types */
    with ${demo} select from stage_type where ${byDemo('stage_type')} order by id for update`.execute(tx);
}
