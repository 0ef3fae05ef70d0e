import { type RawBuilder, sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';
import type { Page } from '../platform/paging.ts';
import { all, jsonArray } from '../platform/sql.ts';
import { currencyJson, exchangeRateJson } from './shapes.ts';

interface ListPage {
  readonly items: string;
  readonly total: number;
}

async function pageOfRows(
  db: Executor,
  name: string,
  rows: RawBuilder<unknown>,
  total: RawBuilder<unknown>,
): Promise<ListPage> {
  const { rows: results } = await sql<ListPage>`${sql.raw(`/* currencies.${name} */`)}
    select ${jsonArray(rows)} as items, (select count(*)::integer ${total}) as total`.execute(db);
  return results[0] ?? { items: '[]', total: 0 };
}

export async function listCurrencies(
  db: Executor,
  filters: { readonly is_active?: boolean | undefined },
  page: Page,
): Promise<ListPage> {
  const { is_active } = filters;
  const matches = sql`from currency c where ${all(is_active === undefined ? [] : [sql`c.is_active = ${is_active}`])}`;
  const rows = sql`select ${currencyJson} as json ${matches}
    order by c.position, c.id limit ${page.limit} offset ${page.offset}`;
  return pageOfRows(db, 'list', rows, matches);
}

export async function getCurrency(db: Executor, code: string): Promise<string | undefined> {
  const { rows } = await sql<{ json: string }>`/* currencies.get */
    select ${currencyJson}::text as json from currency c where c.code = ${code}`.execute(db);
  return rows[0]?.json;
}

export async function activeCodes(db: Executor): Promise<readonly string[]> {
  const { rows } = await sql<{ code: string }>`/* currencies.active */
    select code from currency where is_active order by position, id`.execute(db);
  return rows.map((row) => row.code);
}

export async function insertCurrency(
  db: Executor,
  values: {
    readonly code: string;
    readonly iso_code: string;
    readonly funding_channel: string | null;
    readonly name: string;
    readonly position: number | null;
    readonly is_active: boolean;
  },
): Promise<void> {
  await sql`/* currencies.insert */
    insert into currency (code, iso_code, funding_channel, name, position, is_active)
    values (${values.code}, ${values.iso_code}, ${values.funding_channel}, ${values.name},
      coalesce(${values.position}::integer, (select max(position) + 1 from currency), 1), ${values.is_active})`.execute(
    db,
  );
}

export interface CurrencyValues {
  readonly funding_channel?: string | null | undefined;
  readonly name?: string | undefined;
  readonly position?: number | undefined;
  readonly is_active?: boolean | undefined;
}

/** Changes the given columns; false when there is no such currency. */
export async function updateCurrency(db: Executor, code: string, values: CurrencyValues): Promise<boolean> {
  const { funding_channel, name, position, is_active } = values;
  const { numAffectedRows } = await sql`/* currencies.update */
    update currency set
      funding_channel = case when ${funding_channel !== undefined}::boolean then ${funding_channel ?? null} else funding_channel end,
      name = coalesce(${name ?? null}, name),
      position = coalesce(${position ?? null}::integer, position),
      is_active = coalesce(${is_active ?? null}::boolean, is_active)
    where code = ${code}`.execute(db);
  return numAffectedRows === 1n;
}

export async function listRates(
  db: Executor,
  filters: {
    readonly currency?: string | undefined;
    readonly base?: string | undefined;
    readonly valid_on?: string | undefined;
  },
  page: Page,
): Promise<ListPage> {
  const { currency, base, valid_on } = filters;
  const matches = sql`from exchange_rate r where ${all([
    ...(currency === undefined ? [] : [sql`r.currency = ${currency}`]),
    ...(base === undefined ? [] : [sql`r.base = ${base}`]),
    ...(valid_on === undefined
      ? []
      : [
          sql`r.valid_from = (select max(valid_from) from exchange_rate other
            where other.currency = r.currency and other.base = r.base and other.valid_from <= ${valid_on}::date)`,
        ]),
  ])}`;
  const rows = sql`select ${exchangeRateJson} as json ${matches}
    order by r.currency, r.base, r.valid_from desc limit ${page.limit} offset ${page.offset}`;
  return pageOfRows(db, 'list-rates', rows, matches);
}

export async function getRate(db: Executor, id: number): Promise<string | undefined> {
  const { rows } = await sql<{ json: string }>`/* currencies.get-rate */
    select ${exchangeRateJson}::text as json from exchange_rate r where r.id = ${id}`.execute(db);
  return rows[0]?.json;
}

export async function unknownIsoCode(db: Executor, code: string): Promise<boolean> {
  const { rows } =
    await sql`/* currencies.iso-code */ select from currency where iso_code = ${code} limit 1`.execute(db);
  return rows.length === 0;
}

export async function insertRate(
  db: Executor,
  values: {
    readonly currency: string;
    readonly base: string;
    readonly rate: number;
    readonly valid_from: string;
  },
): Promise<number> {
  const { rows } = await sql<{ id: number }>`/* currencies.insert-rate */
    insert into exchange_rate (currency, base, rate, valid_from)
    values (${values.currency}, ${values.base}, ${String(values.rate)}::numeric, ${values.valid_from}::date)
    returning id`.execute(db);
  const [inserted] = rows;
  if (!inserted) {
    throw new Error('insert into exchange_rate returned no row');
  }
  return inserted.id;
}

/** Locks the rate and tells from which day it holds. */
export async function lockRate(db: Executor, id: number): Promise<string | undefined> {
  const { rows } = await sql<{ valid_from: string }>`/* currencies.lock-rate */
    select valid_from from exchange_rate where id = ${id} for no key update`.execute(db);
  return rows[0]?.valid_from;
}

export async function updateRate(
  db: Executor,
  id: number,
  values: { readonly rate?: number | undefined; readonly valid_from?: string | undefined },
): Promise<void> {
  await sql`/* currencies.update-rate */
    update exchange_rate set rate = coalesce(${values.rate === undefined ? null : String(values.rate)}::numeric, rate),
      valid_from = coalesce(${values.valid_from ?? null}::date, valid_from)
    where id = ${id}`.execute(db);
}

/** The rate before any that was entered, as the configuration has it now. */
export async function upsertStartingRate(
  db: Executor,
  values: { readonly currency: string; readonly base: string; readonly rate: string },
): Promise<void> {
  await sql`/* currencies.starting-rate */
    insert into exchange_rate as known (currency, base, rate, valid_from, is_starting)
    values (${values.currency}, ${values.base}, ${values.rate}::numeric, date '1970-01-01', true)
    on conflict (currency, base, valid_from) do update set rate = excluded.rate
    where known.is_starting and known.rate <> excluded.rate`.execute(db);
}
