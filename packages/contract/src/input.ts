import { z } from 'zod';

/**
 * The lenient input kinds of the v1 API (contract 2.1.7). Each accepts what v1 clients send and yields one clean type.
 * A refused value carries v1's error type (`int_parsing`, `string_too_long`, …) and its parameters in the issue.
 */

export interface Refusal {
  readonly type: string;
  readonly message: string;
  readonly ctx?: Record<string, unknown>;
}

type Parsed<T> = { readonly value: T } | { readonly refused: Refusal };

const MAX_INT32 = 2_147_483_647;

function kind<T>(jsonSchema: Record<string, unknown>, parse: (input: unknown) => Parsed<T>) {
  return z
    .unknown()
    .transform((input, context): T => {
      const parsed = input === undefined ? refuse('missing', 'Field required') : parse(input);
      if ('value' in parsed) {
        return parsed.value;
      }
      const { type, message, ctx } = parsed.refused;
      context.issues.push({ code: 'custom', message, input, params: { type, ...(ctx ? { ctx } : {}) } });
      return z.NEVER;
    })
    .meta(jsonSchema);
}

function refuse(type: string, message: string, ctx?: Record<string, unknown>): { refused: Refusal } {
  return { refused: ctx ? { type, message, ctx } : { type, message } };
}

/** A 32-bit whole number. Takes numeric strings (`"5"`, `" +5 "`, `"5.0"`), whole floats and booleans, as v1 did. */
export function integer({ min = -MAX_INT32 - 1, max = MAX_INT32 }: { min?: number; max?: number } = {}) {
  return kind<number>({ type: 'integer', minimum: min, maximum: max }, (input) => {
    const number = toInteger(input);
    if (typeof number !== 'number') {
      return number;
    }
    if (number < min) {
      return refuse('greater_than_equal', `Input should be greater than or equal to ${min}`, { ge: min });
    }
    if (number > max) {
      return refuse('less_than_equal', `Input should be less than or equal to ${max}`, { le: max });
    }
    return { value: number };
  });
}

function toInteger(input: unknown): number | { refused: Refusal } {
  if (typeof input === 'boolean') {
    return Number(input);
  }
  if (typeof input === 'number') {
    return Number.isInteger(input)
      ? input
      : refuse('int_from_float', 'Input should be a valid integer, got a number with a fractional part');
  }
  if (typeof input === 'string') {
    return /^\s*[+-]?\d+(\.0*)?\s*$/.test(input)
      ? Number(input)
      : refuse('int_parsing', 'Input should be a valid integer, unable to parse string as an integer');
  }
  return refuse('int_type', 'Input should be a valid integer');
}

/** The id of a record in a path, query or body. One that no record has (0, negative) is accepted and not found. */
export const id = () => integer();

/** An amount of money: finite, not negative, below one quadrillion. Takes numeric strings. Kept exactly as written. */
export function amount() {
  const limit = 1e15;
  return kind<number>({ type: 'number', minimum: 0, exclusiveMaximum: limit }, (input) => {
    const number =
      typeof input === 'boolean'
        ? Number(input)
        : typeof input === 'string' && /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(input)
          ? Number(input)
          : input;
    if (typeof number !== 'number') {
      const infinite = typeof input === 'string' && /^\s*[+-]?(inf(inity)?|nan)\s*$/i.test(input);
      return infinite
        ? refuse('finite_number', 'Input should be a finite number')
        : refuse('float_parsing', 'Input should be a valid number');
    }
    if (!Number.isFinite(number)) {
      return refuse('finite_number', 'Input should be a finite number');
    }
    if (number < 0) {
      return refuse('greater_than_equal', 'Input should be greater than or equal to 0', { ge: 0 });
    }
    if (number >= limit) {
      return refuse('less_than', `Input should be less than ${limit}`, { lt: limit });
    }
    return { value: Object.is(number, -0) ? 0 : number };
  });
}

const TRUE = new Set(['true', '1', 'yes', 'on', 't', 'y']);
const FALSE = new Set(['false', '0', 'no', 'off', 'f', 'n']);

export function boolean() {
  return kind<boolean>({ type: 'boolean' }, (input) => {
    if (typeof input === 'boolean') {
      return { value: input };
    }
    // Objects are not turned into text: a hostile one brings a toString that cannot be called.
    if (typeof input === 'string' || input === 0 || input === 1) {
      const word = String(input).toLowerCase();
      if (TRUE.has(word)) {
        return { value: true };
      }
      if (FALSE.has(word)) {
        return { value: false };
      }
    }
    return refuse('bool_parsing', 'Input should be a valid boolean, unable to interpret input');
  });
}

/** Text of `min` to `max` characters (code points). Refuses what PostgreSQL cannot store: NUL and lone surrogates. */
export function text({ min = 0, max }: { min?: number; max?: number } = {}) {
  const schema = {
    type: 'string',
    ...(min > 0 ? { minLength: min } : {}),
    ...(max === undefined ? {} : { maxLength: max }),
  };
  return kind<string>(schema, (input) => {
    if (typeof input !== 'string') {
      return refuse('string_type', 'Input should be a valid string');
    }
    if (input.includes('\u0000') || !input.isWellFormed()) {
      return refuse('string_unicode', 'Input should be valid text without NUL characters');
    }
    const length = [...input].length;
    if (length < min) {
      return refuse(
        'string_too_short',
        `String should have at least ${min} character${min === 1 ? '' : 's'}`,
        {
          min_length: min,
        },
      );
    }
    if (max !== undefined && length > max) {
      return refuse('string_too_long', `String should have at most ${max} characters`, { max_length: max });
    }
    return { value: input };
  });
}

/** A calendar day, `YYYY-MM-DD`. Takes an ISO date-time or a Unix time that falls on midnight, as v1 did. */
export function day() {
  return kind<string>({ type: 'string', format: 'date' }, (input) => {
    if (typeof input === 'number' || (typeof input === 'string' && /^[+-]?\d+(\.\d+)?$/.test(input))) {
      return dayFromUnixTime(Number(input));
    }
    if (typeof input !== 'string') {
      return refuse('date_type', 'Input should be a valid date');
    }
    const match =
      /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/i.exec(
        input,
      );
    const date = match?.[1];
    if (date === undefined || !isCalendarDay(date)) {
      return refuse('date_from_datetime_parsing', 'Input should be a valid date in the format YYYY-MM-DD', {
        error: 'invalid date',
      });
    }
    if (match?.slice(2).some((part) => part !== undefined && Number(part) !== 0)) {
      return refuse('date_from_datetime_inexact', 'Datetimes provided to dates should have zero time');
    }
    return { value: date };
  });
}

function isCalendarDay(date: string): boolean {
  const time = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(time) && !date.startsWith('0000') && new Date(time).toISOString().startsWith(date);
}

function dayFromUnixTime(number: number): Parsed<string> {
  // Numbers beyond 2e10 are milliseconds, as in v1's parser.
  const milliseconds = Math.abs(number) > 2e10 ? number : number * 1000;
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999 || date.getUTCFullYear() < 1) {
    return refuse('date_from_datetime_parsing', 'Input should be a valid date', { error: 'out of range' });
  }
  return milliseconds % 86_400_000 === 0
    ? { value: date.toISOString().slice(0, 10) }
    : refuse('date_from_datetime_inexact', 'Datetimes provided to dates should have zero time');
}

export function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  const expected = values.map((value) => `'${value}'`).join(', ');
  return kind<Values[number]>({ type: 'string', enum: values }, (input) => {
    const found = values.find((value) => value === input);
    return found === undefined
      ? refuse('enum', `Input should be ${expected}`, { expected })
      : { value: found };
  });
}

/** A member of a PATCH body that v1 leaves unchanged when it is null, as if it had not been sent. */
export function nullIgnored<T extends z.ZodType>(item: T) {
  const member = item
    .nullable()
    .transform((value) => value ?? undefined)
    .optional();
  return item.description === undefined ? member : member.describe(item.description);
}

const repeatedParameters = new WeakSet<z.core.$ZodType>();

/** A query parameter that may be repeated: one value or several become a list. */
export function repeated<T extends z.ZodType>(item: T, description: string) {
  const { $schema: _, ...items } = z.toJSONSchema(item, { io: 'input' });
  const list = z
    .preprocess((input): unknown[] => (Array.isArray(input) ? input : [input]), z.array(item).max(1000))
    .meta({ type: 'array', maxItems: 1000, items })
    .optional()
    .describe(description);
  repeatedParameters.add(list);
  return list;
}

/** Whether a query parameter takes several values; of any other that is repeated the last value counts, as in v1. */
export function isRepeated(parameter: z.core.$ZodType | undefined): boolean {
  return parameter !== undefined && repeatedParameters.has(parameter);
}

/** `page` and `limit` of every list (contract 2.1.9). The server's configuration narrows the default and the maximum. */
export const paging = {
  page: integer({ min: 1 }).default(1).describe('Which page, from 1; one behind the last is empty.'),
  limit: integer({ min: 1 })
    .optional()
    .describe('Records a page; the server sets the default (100) and the most (200).'),
};

export const search = text({ max: 1000 })
  .optional()
  .describe('A part of the text, in any case. One phrase; it has no wildcards.');
export const sortOrder = oneOf(['asc', 'desc']).describe('Ascending or descending.');

/** One item, or a list of items that stand at the same position. Either way a list comes out. */
export function oneOrList<T extends z.ZodType>(item: T) {
  const { $schema: _, ...single } = z.toJSONSchema(item, { io: 'input' });
  // Not a union: its refusal would only say that neither form fits.
  return z
    .unknown()
    .transform((input): unknown => (Array.isArray(input) ? input : [input]))
    .pipe(z.array(item).max(1000))
    .meta({ anyOf: [single, { type: 'array', items: single, maxItems: 1000 }] });
}
