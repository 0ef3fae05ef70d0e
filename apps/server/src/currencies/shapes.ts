import { type RawBuilder, sql } from 'kysely';

/** The JSON of the currency row `c`. */
export const currencyJson: RawBuilder<unknown> = sql`
  json_build_object('id', c.id, 'code', c.code, 'iso_code', c.iso_code, 'funding_channel', c.funding_channel,
    'name', c.name, 'position', c.position, 'is_active', c.is_active)`;

/** The JSON of the exchange_rate row `r`. */
export const exchangeRateJson: RawBuilder<unknown> = sql`
  json_build_object('id', r.id, 'currency', r.currency, 'base', r.base, 'rate', r.rate, 'valid_from', r.valid_from,
    'is_starting', r.is_starting, 'created_at', utc_iso(r.created_at))`;
