import { BASE_CURRENCY } from '@calculaud/contract/currencies';
import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { translateConstraints } from '../platform/constraints.ts';
import { actor, type RequestContext } from '../platform/context.ts';
import { envelope, pageOf } from '../platform/paging.ts';
import { Problem, notFound } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import { InvalidInput } from '../platform/validation.ts';
import * as queries from './queries.ts';

interface PageQuery {
  readonly page: number;
  readonly limit?: number | undefined;
}

/** A cost line as far as its currency goes; with an id it is the correction of a stored one. */
interface Line {
  readonly id?: number | null;
  readonly currency: string;
}

/** Refuses lines in a currency that new costs cannot have; a stored line may keep the one it has. */
export async function assertUsable(
  db: Executor,
  lines: readonly Line[],
  stored: readonly Line[],
): Promise<void> {
  const keeps = (line: Line): boolean =>
    line.id !== null && stored.some(({ id, currency }) => id === line.id && currency === line.currency);
  refuseUnknown(lines, await queries.activeCodes(db), keeps);
}

/** An unknown currency is refused as v1's enum refused it. */
export function refuseUnknown(
  lines: readonly Line[],
  active: readonly string[],
  exempt: (line: Line) => boolean = () => false,
): void {
  const expected = active.map((code) => `'${code}'`).join(', ');
  const errors = lines.flatMap((line, index) =>
    active.includes(line.currency) || exempt(line)
      ? []
      : [
          {
            type: 'enum',
            loc: ['body', 'costs', index, 'currency'],
            msg: `Input should be ${expected}`,
            input: line.currency,
            ctx: { expected },
          },
        ],
  );
  if (errors.length > 0) {
    throw new InvalidInput(errors);
  }
}

/** Makes the setting USD_TO_ILS_RATE the rate that holds before any that was entered. To be called at the start. */
export async function followConfiguredRate({ db, config }: Pick<Services, 'db' | 'config'>): Promise<void> {
  await queries.upsertStartingRate(db, {
    currency: 'USD',
    base: BASE_CURRENCY,
    rate: config.organisation.usdToIlsRate,
  });
}

export async function listCurrencies(
  { db, config }: Services,
  query: PageQuery & { readonly is_active?: boolean | undefined },
): Promise<Buffer> {
  const page = pageOf(query, config.paging);
  const { items, total } = await queries.listCurrencies(db, query, page);
  return envelope(items, total, page);
}

export async function createCurrency(
  { db }: Services,
  context: RequestContext,
  body: {
    readonly code: string;
    readonly iso_code: string;
    readonly funding_channel?: string | null | undefined;
    readonly name: string;
    readonly position?: number | undefined;
    readonly is_active: boolean;
  },
): Promise<string> {
  const taken = () => new Problem('code_taken', 409, `Currency ${body.code} already exists`);
  return translateConstraints({ currency_code_key: taken }, () =>
    transaction(db, actor(context), async (tx) => {
      await queries.insertCurrency(tx, {
        ...body,
        funding_channel: body.funding_channel ?? null,
        position: body.position ?? null,
      });
      return getCurrency(tx, body.code);
    }),
  );
}

export async function updateCurrency(
  { db }: Services,
  context: RequestContext,
  code: string,
  body: queries.CurrencyValues,
): Promise<string> {
  return transaction(db, actor(context), async (tx) => {
    if (!(await queries.updateCurrency(tx, code, body))) {
      throw currencyNotFound(code);
    }
    return getCurrency(tx, code);
  });
}

async function getCurrency(db: Executor, code: string): Promise<string> {
  const json = await queries.getCurrency(db, code);
  if (json === undefined) {
    throw currencyNotFound(code);
  }
  return json;
}

function currencyNotFound(code: string): Problem {
  return new Problem('not_found', 404, `Currency ${code} not found`);
}

export async function listRates(
  { db, config }: Services,
  query: PageQuery & {
    readonly currency?: string | undefined;
    readonly base?: string | undefined;
    readonly valid_on?: string | undefined;
  },
): Promise<Buffer> {
  const page = pageOf(query, config.paging);
  const { items, total } = await queries.listRates(db, query, page);
  return envelope(items, total, page);
}

export async function createRate(
  { db }: Services,
  context: RequestContext,
  body: {
    readonly currency: string;
    readonly base: string;
    readonly rate: number;
    readonly valid_from: string;
  },
): Promise<string> {
  if (body.currency === body.base) {
    throw new Problem('same_currency', 400, 'A currency has no exchange rate to itself');
  }
  return translateConstraints(dayTaken(body.valid_from), () =>
    transaction(db, actor(context), async (tx) => {
      for (const code of [body.currency, body.base]) {
        if (await queries.unknownIsoCode(tx, code)) {
          throw new Problem('unknown_reference', 400, `Currency with ISO code ${code} not found`);
        }
      }
      return getRate(tx, await queries.insertRate(tx, body));
    }),
  );
}

/** Only a rate that does not hold yet can be corrected: with the others decisions may have been made. */
export async function updateRate(
  { db }: Services,
  context: RequestContext,
  id: number,
  body: { readonly rate?: number | undefined; readonly valid_from?: string | undefined },
): Promise<string> {
  return translateConstraints(dayTaken(body.valid_from), () =>
    transaction(db, actor(context), async (tx) => {
      const validFrom = await queries.lockRate(tx, id);
      if (validFrom === undefined) {
        throw notFound('Exchange rate', id);
      }
      if (validFrom <= context.today) {
        throw new Problem(
          'rate_in_force',
          409,
          `Exchange rate with ID ${id} holds since ${validFrom} and cannot be changed: enter a new one`,
        );
      }
      await queries.updateRate(tx, id, body);
      return getRate(tx, id);
    }),
  );
}

async function getRate(db: Executor, id: number): Promise<string> {
  const json = await queries.getRate(db, id);
  if (json === undefined) {
    throw notFound('Exchange rate', id);
  }
  return json;
}

function dayTaken(day: string | undefined) {
  return {
    exchange_rate_currency_base_valid_from_key: () =>
      new Problem('day_taken', 409, `There is already an exchange rate from ${day ?? 'that day'} on`),
  };
}
