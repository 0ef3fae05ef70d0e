import { sql } from 'kysely';
import type { PurposeFilters } from '@calculaud/contract/purposes';
import type { Executor } from '@calculaud/db/database';
import { nestedCatalogue } from '../../catalog/shapes.ts';
import type { SignedLinks } from '../../files/shapes.ts';
import type { Page } from '../../platform/paging.ts';
import { compiledOnce, jsonArray, type JsonPage, jsonPage, withMembers } from '../../platform/sql.ts';
import { pendingAuthorities } from '../../purchases/shapes.ts';
import { purposeRows } from '../shapes.ts';
import { orderBy, pageRows, searchHits, total } from './filters.ts';

/** What the calendar and the links of an answer depend on. */
export interface View {
  readonly today: string;
  readonly timeZone: string;
  readonly links: SignedLinks;
}

/** One page of purposes and how many match in all, in one statement. */
export async function listPurposes(
  db: Executor,
  filters: PurposeFilters,
  page: Page,
  { today, timeZone, links }: View,
): Promise<JsonPage> {
  return jsonPage(
    db,
    sql`/* purposes.list */ with ${nestedCatalogue} ${searchHits(filters)}`,
    purposeRows(pageRows(filters, page, timeZone), orderBy(filters), today, links),
    total(filters, timeZone),
  );
}

export async function getPurpose(
  db: Executor,
  id: number,
  { today, links }: Pick<View, 'today' | 'links'>,
): Promise<{ json: string; version: number } | undefined> {
  const [purpose] = await onePurpose(db, { id, today, ...links });
  return purpose;
}

const onePurpose = compiledOnce<
  { id: number; today: string } & View['links'],
  { json: string; version: number }
>((slot) => {
  const id = slot('id');
  const links = {
    beforeId: slot('beforeId'),
    beforeSignature: slot('beforeSignature'),
    key: slot('key'),
  };
  return sql`/* purposes.get */
    with ${nestedCatalogue}
    select ${withMembers('found.json', {
      pending_authorities: pendingAuthorities(sql`p.purpose_id = ${id}`),
      auto_flagged_at: sql`utc_iso(o.auto_flagged_at)`,
      auto_flag_reason: sql`o.auto_flag_reason`,
    })} as json, found.version
    from (${purposeRows(sql`(select * from purpose where id = ${id})`, sql``, slot('today'), links)}) found, purpose o
    where o.id = ${id}`;
});

export async function statusHistory(db: Executor, id: number): Promise<string | undefined> {
  const rows = sql`
    select json_build_object('id', id, 'previous_status', previous_status, 'new_status', new_status,
      'changed_at', utc_iso(changed_at), 'changed_by', changed_by) as json
    from purpose_status_history where purpose_id = ${id} order by changed_at, id`;
  const { rows: results } = await sql<{ json: string }>`/* purposes.status-history */
    select ${jsonArray(rows)} as json from purpose where id = ${id}`.execute(db);
  return results[0]?.json;
}
