import { z } from 'zod';
import { endpoint } from './endpoint.ts';
import { amount, boolean, day, id, integer, nullIgnored, paging, text } from './input.ts';
import * as out from './output.ts';

/** What a cost may be in, and what one currency is worth in another from which day on. */

/** The currency that sums are compared in where a rule converts them. */
export const BASE_CURRENCY = 'ILS';

function matching(pattern: RegExp, what: string) {
  return text({ max: 32 })
    .refine((value) => pattern.test(value), {
      error: `Input should be ${what}`,
      params: { type: 'string_pattern_mismatch', ctx: { pattern: pattern.source } },
    })
    .meta({ type: 'string', pattern: pattern.source });
}

const isoCode = matching(/^[A-Z]{3}$/, 'an ISO 4217 code of three capital letters');

export const currency = z
  .object({
    id: out.id,
    /** What costs name. */
    code: z.string(),
    /** ISO 4217. Several codes may be the same currency from different funds. */
    iso_code: z.string(),
    /** The fund that the money comes from, where a currency has several. */
    funding_channel: z.string().nullable(),
    name: z.string(),
    position: z.int(),
    /** New costs may name it. */
    is_active: z.boolean(),
  })
  .meta({ id: 'Currency' });

export const listCurrencies = endpoint({
  id: 'currencies.list',
  method: 'GET',
  path: '/currencies/',
  summary: 'List the currencies that costs may be in',
  permission: 'currencies.read',
  query: z.object({ ...paging, is_active: boolean().optional() }),
  success: { status: 200, body: out.page(currency) },
});

export const createCurrency = endpoint({
  id: 'currencies.create',
  method: 'POST',
  path: '/currencies/',
  summary: 'Add a currency',
  permission: 'currencies.write',
  body: z.object({
    code: matching(/^[A-Z][A-Z0-9_]{0,31}$/, 'capital letters, digits and underscores, a letter first'),
    iso_code: isoCode,
    funding_channel: text({ min: 1, max: 100 }).nullable().optional(),
    name: text({ min: 1, max: 255 }),
    /** Last by default. */
    position: integer({ min: 1 }).optional(),
    is_active: boolean().default(true),
  }),
  success: { status: 201, body: currency },
  errors: [409],
});

export const updateCurrency = endpoint({
  id: 'currencies.update',
  method: 'PATCH',
  path: '/currencies/{code}',
  summary:
    'Change a currency: only the members present. Its codes stay, because costs have been recorded in it',
  permission: 'currencies.write',
  params: z.object({ code: text({ max: 32 }) }),
  body: z.object({
    funding_channel: text({ min: 1, max: 100 }).nullable().optional(),
    name: nullIgnored(text({ min: 1, max: 255 })),
    position: nullIgnored(integer({ min: 1 })),
    is_active: nullIgnored(boolean()),
  }),
  success: { status: 200, body: currency },
  errors: [404],
});

export const exchangeRate = z
  .object({
    id: out.id,
    currency: z.string(),
    base: z.string(),
    /** What one unit of `currency` is worth in `base`. */
    rate: out.money,
    /** It holds from this day until the next one begins. */
    valid_from: out.day,
    /** It comes from the setting USD_TO_ILS_RATE and holds before any other. */
    is_starting: z.boolean(),
    created_at: out.dateTime,
  })
  .meta({ id: 'ExchangeRate' });

const rate = amount()
  .refine((value) => value > 0, {
    error: 'Input should be greater than 0',
    params: { type: 'greater_than', ctx: { gt: 0 } },
  })
  .meta({ type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1e15 });

export const listExchangeRates = endpoint({
  id: 'currencies.list-rates',
  method: 'GET',
  path: '/exchange-rates/',
  summary: 'List exchange rates by currency, newest first',
  permission: 'currencies.read',
  query: z.object({
    ...paging,
    currency: isoCode.optional(),
    base: isoCode.optional(),
    /** Only the rate of each pair that holds on this day. */
    valid_on: day().optional(),
  }),
  success: { status: 200, body: out.page(exchangeRate) },
});

export const createExchangeRate = endpoint({
  id: 'currencies.create-rate',
  method: 'POST',
  path: '/exchange-rates/',
  summary: 'Enter an exchange rate from a day on',
  description: 'Stored amounts and decisions that were made do not change.',
  permission: 'currencies.write',
  body: z.object({ currency: isoCode, base: isoCode.default(BASE_CURRENCY), rate, valid_from: day() }),
  success: { status: 201, body: exchangeRate },
  errors: [400, 409],
});

export const updateExchangeRate = endpoint({
  id: 'currencies.update-rate',
  method: 'PATCH',
  path: '/exchange-rates/{rate_id}',
  summary: 'Correct a rate that does not hold yet. One that did is followed by a new one instead',
  permission: 'currencies.write',
  params: z.object({ rate_id: id() }),
  body: z.object({ rate: nullIgnored(rate), valid_from: nullIgnored(day()) }),
  success: { status: 200, body: exchangeRate },
  errors: [400, 404, 409],
});
