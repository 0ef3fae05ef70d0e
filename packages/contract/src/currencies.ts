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

const isoCode = matching(/^[A-Z]{3}$/, 'an ISO 4217 code of three capital letters').describe(
  'An ISO 4217 code.',
);
const name = text({ min: 1, max: 255 }).describe('What people read.');
const fundingChannel = text({ min: 1, max: 100 })
  .nullable()
  .optional()
  .describe('The fund that the money comes from, where a currency has several; null: it has one.');

export const currency = z
  .object({
    id: out.id,
    code: z.string().describe('What costs name.'),
    iso_code: z.string().describe('ISO 4217. Several codes may be the same currency from different funds.'),
    funding_channel: z
      .string()
      .nullable()
      .describe('The fund that the money comes from, where a currency has several.'),
    name: z.string(),
    position: z.int(),
    is_active: z.boolean().describe('New costs may name it.'),
  })
  .meta({ id: 'Currency' });

export const listCurrencies = endpoint({
  id: 'currencies.list',
  method: 'GET',
  path: '/currencies/',
  summary: 'List the currencies that costs may be in',
  description: 'In their order. Several codes may be the same ISO currency from different funds.',
  permission: 'currencies.read',
  query: z.object({
    ...paging,
    is_active: boolean().optional().describe('Only those that new costs may name, or only the others.'),
  }),
  success: { status: 200, body: out.page(currency) },
});

export const createCurrency = endpoint({
  id: 'currencies.create',
  method: 'POST',
  path: '/currencies/',
  summary: 'Add a currency',
  description:
    'Costs may name it at once. Give it an exchange rate, too: rules that convert sums cannot decide without one.',
  permission: 'currencies.write',
  body: z.object({
    code: matching(
      /^[A-Z][A-Z0-9_]{0,31}$/,
      'capital letters, digits and underscores, a letter first',
    ).describe('What costs name. It stays for ever.'),
    iso_code: isoCode,
    funding_channel: fundingChannel,
    name,
    position: integer({ min: 1 }).optional().describe('Last by default.'),
    is_active: boolean().default(true).describe('New costs may name it.'),
  }),
  success: { status: 201, body: currency },
  errors: [409],
});

export const updateCurrency = endpoint({
  id: 'currencies.update',
  method: 'PATCH',
  path: '/currencies/{code}',
  summary: 'Change a currency: only the members present',
  description: 'Its codes stay, because costs have been recorded in it.',
  permission: 'currencies.write',
  params: z.object({ code: text({ max: 32 }).describe('The code that costs name.') }),
  body: z.object({
    funding_channel: fundingChannel,
    name: nullIgnored(name),
    position: nullIgnored(integer({ min: 1 })).describe('Its place in lists.'),
    is_active: nullIgnored(boolean()).describe('New costs may name it; those that were recorded stay.'),
  }),
  success: { status: 200, body: currency },
  errors: [404],
});

export const exchangeRate = z
  .object({
    id: out.id,
    currency: z.string(),
    base: z.string(),
    rate: out.money.describe('What one unit of `currency` is worth in `base`.'),
    valid_from: out.day.describe('It holds from this day until the next one begins.'),
    is_starting: z
      .boolean()
      .describe('It comes from the setting USD_TO_ILS_RATE and holds before any other.'),
    created_at: out.dateTime,
  })
  .meta({ id: 'ExchangeRate' });

const rate = amount()
  .refine((value) => value > 0, {
    error: 'Input should be greater than 0',
    params: { type: 'greater_than', ctx: { gt: 0 } },
  })
  .meta({ type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1e15 })
  .describe('What one unit of `currency` is worth in `base`.');
const validFrom = day().describe('It holds from this day until the next one begins.');

export const listExchangeRates = endpoint({
  id: 'currencies.list-rates',
  method: 'GET',
  path: '/exchange-rates/',
  summary: 'List exchange rates by currency, newest first',
  description:
    'A rate holds from its day until that of the next one. The starting rate comes from the configuration.',
  permission: 'currencies.read',
  query: z.object({
    ...paging,
    currency: isoCode.optional().describe('Only rates of this currency, by its ISO 4217 code.'),
    base: isoCode.optional().describe('Only rates in this currency, by its ISO 4217 code.'),
    valid_on: day().optional().describe('Only the rate of each pair that holds on this day.'),
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
  body: z.object({
    currency: isoCode.describe('What is converted, by its ISO 4217 code.'),
    base: isoCode.default(BASE_CURRENCY).describe('What it is converted to, by its ISO 4217 code.'),
    rate,
    valid_from: validFrom,
  }),
  success: { status: 201, body: exchangeRate },
  errors: [400, 409],
});

export const updateExchangeRate = endpoint({
  id: 'currencies.update-rate',
  method: 'PATCH',
  path: '/exchange-rates/{rate_id}',
  summary: 'Correct an exchange rate that does not hold yet',
  description: 'One that holds already, or did, is refused with 409: enter a new one that follows it.',
  permission: 'currencies.write',
  params: z.object({ rate_id: id().describe('The id of the exchange rate.') }),
  body: z.object({ rate: nullIgnored(rate), valid_from: nullIgnored(validFrom) }),
  success: { status: 200, body: exchangeRate },
  errors: [400, 404, 409],
});
