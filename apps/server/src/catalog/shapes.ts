import { type RawBuilder, sql } from 'kysely';
import { type FileLinks, fileAttachmentJson } from '../files/shapes.ts';

/** The JSON of each catalogue record, from the row of the given alias. */

export function supplierJson(row: string, iconRow: string, links: FileLinks): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${row}.${name}`);
  return sql`json_build_object('id', ${column('id')}, 'name', ${column('name')},
    'file_icon_id', ${column('file_icon_id')},
    'file_icon', case when ${sql.ref(`${iconRow}.id`)} is not null then ${fileAttachmentJson(iconRow, links)} end)`;
}

export function serviceTypeJson(row: string): RawBuilder<unknown> {
  return sql`json_build_object('id', ${sql.ref(`${row}.id`)}, 'name', ${sql.ref(`${row}.name`)})`;
}

export function serviceJson(row: string): RawBuilder<unknown> {
  return sql`json_build_object('id', ${sql.ref(`${row}.id`)}, 'name', ${sql.ref(`${row}.name`)},
    'service_type_id', ${sql.ref(`${row}.service_type_id`)})`;
}

export function budgetSourceJson(row: string): RawBuilder<unknown> {
  return sql`json_build_object('id', ${sql.ref(`${row}.id`)}, 'name', ${sql.ref(`${row}.name`)})`;
}

export function authorityJson(row: string): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${row}.${name}`);
  return sql`json_build_object('id', ${column('id')}, 'name', ${column('name')},
    'description', ${column('description')}, 'created_at', utc_iso(${column('created_at')}))`;
}

/** As others nest it. */
export function stageTypeJson(row: string, authorityRow: string): RawBuilder<unknown> {
  return sql`json_build_object(${stageTypeMembers(row, authorityRow)})`;
}

export function stageTypeByItselfJson(row: string, authorityRow: string): RawBuilder<unknown> {
  return sql`json_build_object(${stageTypeMembers(row, authorityRow)},
    'auto_flag_days', ${sql.ref(`${row}.auto_flag_days`)})`;
}

function stageTypeMembers(row: string, authorityRow: string): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${row}.${name}`);
  return sql`'id', ${column('id')}, 'name', ${column('name')},
    'display_name', ${column('display_name')}, 'description', ${column('description')},
    'value_required', ${column('value_required')}, 'is_optional', ${column('is_optional')},
    'responsible_authority_id', ${column('responsible_authority_id')}, 'created_at', utc_iso(${column('created_at')}),
    'responsible_authority', case when ${sql.ref(`${authorityRow}.id`)} is not null
      then ${authorityJson(authorityRow)} end`;
}

/**
 * The small tables that every stage nests, as JSON made once a statement and not once a stage:
 * `authority_json (id, json)` and `stage_type_json (id, json)`, to stand in the WITH list.
 */
export const nestedCatalogue: RawBuilder<unknown> = sql`
  authority_json as materialized (select id, ${authorityJson('responsible_authority')} as json from responsible_authority),
  stage_type_json as materialized (
    select t.id, ${stageTypeJson('t', 'a')} as json
    from stage_type t left join responsible_authority a on a.id = t.responsible_authority_id)`;
