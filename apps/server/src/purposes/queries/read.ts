import { type RawBuilder, sql } from 'kysely';
import type { PurposeFilters } from '@calculaud/contract/purposes';
import type { Executor } from '@calculaud/db/database';
import { nestedCatalogue } from '../../catalog/shapes.ts';
import type { FileLinks, SignedLinks } from '../../files/shapes.ts';
import type { Page } from '../../platform/paging.ts';
import { compiledOnce, jsonArray, type Slot, withMembers, withTables } from '../../platform/sql.ts';
import { pendingAuthorities } from '../../purchases/shapes.ts';
import type { MadeOf } from '../kept-json.ts';
import { purposeRows } from '../shapes.ts';
import { pageRows, searchHits, total } from './filters.ts';

/** What the calendar and the links of an answer depend on. */
export interface View {
  readonly today: string;
  readonly timeZone: string;
  readonly links: SignedLinks;
}

export interface FoundPage {
  readonly found: readonly ({ readonly id: number } & MadeOf)[];
  readonly total: number;
}

/** Which purposes are on a page, in order, and how many match in all. */
export async function findPage(
  db: Executor,
  filters: PurposeFilters,
  page: Page,
  timeZone: string,
): Promise<FoundPage> {
  const { rows } = await sql<{
    id: number | null;
    state: string;
    catalogueVersion: string;
    total: number;
  }>`/* purposes.find */ ${withTables(searchHits(filters))}
    select o.id, ${stateOf('o')} as state, matching.catalogue_version as "catalogueVersion", matching.total
    from (select ${total(filters, timeZone)} as total, ${catalogueVersion} as catalogue_version) matching
    left join ${pageRows(filters, page, timeZone, sql`o.id, o.version, o.xmin`)} o on true`.execute(db);
  return {
    found: rows.flatMap(({ id, state, catalogueVersion: version }) =>
      id === null ? [] : [{ id, state, catalogueVersion: version }],
    ),
    total: rows[0]?.total ?? 0,
  };
}

/**
 * The JSON of these purposes, of those that are still there, in no order. The planner must not see how many there are: it
 * would plan anew each time, which takes 3.6 ms where making a purpose takes 0.4.
 */
export const makePurposes = compiledOnce<
  { ids: readonly number[]; today: string } & View['links'],
  { id: number; json: Buffer } & MadeOf
>((slot) => {
  const rows = sql`(select purpose.*, purpose.xmin from purpose where id = any((select ${slot('ids')}::integer[])::integer[]))`;
  return sql`/* purposes.make */
    with ${nestedCatalogue}
    select made.id, made.state, textout(made.json) as json, ${catalogueVersion} as "catalogueVersion"
    from (${purposeRows(rows, slot('today'), linkSlots(slot), { state: stateOf('o') })}) made`;
});

/** Another one after every change of the row: the transaction that wrote it, of which there are 2^32, and its version. */
function stateOf(row: string): RawBuilder<string> {
  return sql<string>`${sql.ref(`${row}.xmin`)}::text || '.' || ${sql.ref(`${row}.version`)}`;
}

const catalogueVersion = sql<string>`(select sum(change)::text from catalogue_version)`;

export async function getPurpose(
  db: Executor,
  id: number,
  { today, links }: Pick<View, 'today' | 'links'>,
): Promise<{ json: Buffer; version: number } | undefined> {
  const [purpose] = await onePurpose(db, { id, today, ...links });
  return purpose;
}

const onePurpose = compiledOnce<
  { id: number; today: string } & View['links'],
  { json: Buffer; version: number }
>((slot) => {
  const id = slot('id');
  return sql`/* purposes.get */
    with ${nestedCatalogue}
    select textout(${withMembers('found.json', {
      pending_authorities: pendingAuthorities(sql`p.purpose_id = ${id}`),
      auto_flagged_at: sql`utc_iso(o.auto_flagged_at)`,
      auto_flag_reason: sql`o.auto_flag_reason`,
    })}) as json, found.version
    from (${purposeRows(sql`(select * from purpose where id = ${id})`, slot('today'), linkSlots(slot))}) found, purpose o
    where o.id = ${id}`;
});

function linkSlots(slot: Slot<View['links']>): FileLinks {
  return { beforeId: slot('beforeId'), beforeSignature: slot('beforeSignature'), key: slot('key') };
}

export async function statusHistory(db: Executor, id: number): Promise<string | undefined> {
  const rows = sql`
    select json_build_object('id', id, 'previous_status', previous_status, 'new_status', new_status,
      'changed_at', utc_iso(changed_at), 'changed_by', changed_by) as json
    from purpose_status_history where purpose_id = ${id} order by changed_at, id`;
  const { rows: results } = await sql<{ json: string }>`/* purposes.status-history */
    select ${jsonArray(rows)} as json from purpose where id = ${id}`.execute(db);
  return results[0]?.json;
}
