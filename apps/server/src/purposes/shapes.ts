import { type RawBuilder, sql } from 'kysely';
import { type FileLinks, fileAttachmentJson } from '../files/shapes.ts';
import { hierarchyJson } from '../hierarchies/shapes.ts';
import { purchaseRows } from '../purchases/shapes.ts';

/**
 * The JSON of purpose row `o` (contract 2.2), everything it holds nested. The statement's WITH list needs
 * `nestedCatalogue`; the row joins are `purposeJoins`.
 */
export function purposeJson(today: string, links: FileLinks): RawBuilder<unknown> {
  return sql`json_build_object('id', o.id, 'description', o.description, 'status', o.status,
    'comments', o.comments, 'expected_delivery', o.expected_delivery, 'supplier_id', o.supplier_id,
    'service_type_id', o.service_type_id, 'is_flagged', o.is_flagged, 'creation_time', utc_iso(o.creation_time),
    'last_modified', utc_iso(o.last_modified), 'current_status_changed_at', utc_iso(o.current_status_changed_at),
    'supplier', supplier.name, 'service_type', service_type.name,
    'hierarchy', case when hierarchy.id is not null then ${hierarchyJson('hierarchy')} end,
    'pending_authority', authority.json,
    'file_attachments', (
      select coalesce(json_agg(${fileAttachmentJson('f', links)} order by f.id), '[]')
      from purpose_file_attachment l join file_attachment f on f.id = l.file_attachment_id
      where l.purpose_id = o.id),
    'contents', (
      select coalesce(json_agg(json_build_object('id', c.id, 'service_id', c.service_id, 'quantity', c.quantity,
        'service_name', s.name, 'service_type', t.name) order by c.id), '[]')
      from purpose_content c join service s on s.id = c.service_id join service_type t on t.id = s.service_type_id
      where c.purpose_id = o.id),
    'purchases', (
      select coalesce(json_agg(purchases.json order by purchases.id), '[]')
      from (${purchaseRows(sql`p.purpose_id = o.id`, today)}) purchases))`;
}

export const purposeJoins: RawBuilder<unknown> = sql`
  left join supplier on supplier.id = o.supplier_id
  left join service_type on service_type.id = o.service_type_id
  left join hierarchy on hierarchy.id = o.hierarchy_id
  left join authority_json authority on authority.id = o.pending_authority_id`;
