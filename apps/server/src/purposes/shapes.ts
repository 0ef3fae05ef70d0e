import { type RawBuilder, sql } from 'kysely';
import type { FileLinks } from '../files/shapes.ts';
import { fileAttachmentJson } from '../files/shapes.ts';
import { hierarchyJson } from '../hierarchies/shapes.ts';
import { columns, type Members, type Value } from '../platform/sql.ts';
import { purchaseRows } from '../purchases/shapes.ts';

/**
 * The purposes of `rows` (a subquery or a table), one row each, in no order: `id`, `version`, `json` (contract 2.2,
 * everything nested, as text) and what else is wanted of row `o`. The statement's WITH list needs `nestedCatalogue`.
 */
export function purposeRows(
  rows: RawBuilder<unknown>,
  today: Value<string>,
  links: FileLinks,
  more: Members = {},
): RawBuilder<unknown> {
  return sql`
    select ${columns({ id: sql`o.id`, version: sql`o.version`, ...more })},
      left(row_to_json(member)::text, -1) || ',"purchases":[' || coalesce(purchases.json, '') || ']}' as json
    from ${rows} o
    left join supplier on supplier.id = o.supplier_id
    left join service_type on service_type.id = o.service_type_id
    left join hierarchy on hierarchy.id = o.hierarchy_id
    left join authority_json authority on authority.id = o.pending_authority_id
    left join lateral (
      select string_agg(purchase.json, ',' order by purchase.id) as json
      from (${purchaseRows(sql`p.purpose_id = o.id`, today)}) purchase
    ) purchases on true,
    lateral (
      select o.id, o.description, o.status, o.comments, o.expected_delivery, o.supplier_id, o.service_type_id,
        o.is_flagged, utc_iso(o.creation_time) as creation_time, utc_iso(o.last_modified) as last_modified,
        utc_iso(o.current_status_changed_at) as current_status_changed_at,
        supplier.name as supplier, service_type.name as service_type,
        case when hierarchy.id is not null then ${hierarchyJson('hierarchy')} end as hierarchy,
        authority.json as pending_authority,
        (select coalesce(json_agg(${fileAttachmentJson('f', links)} order by f.id), '[]')
          from purpose_file_attachment l join file_attachment f on f.id = l.file_attachment_id
          where l.purpose_id = o.id) as file_attachments,
        (select coalesce(json_agg(content), '[]') from (
          select c.id, c.service_id, c.quantity, s.name as service_name, t.name as service_type
          from purpose_content c join service s on s.id = c.service_id join service_type t on t.id = s.service_type_id
          where c.purpose_id = o.id order by c.id) content) as contents
    ) member`;
}
