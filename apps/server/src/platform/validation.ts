import type { z } from 'zod';
import type { Endpoint, Input } from '@calculaud/contract/endpoint';
import { isRepeated } from '@calculaud/contract/input';

/** One refused field in the shape that v1 clients know (contract 2.1.5). */
export interface FieldError {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input?: unknown;
  readonly ctx?: unknown;
}

export class InvalidInput extends Error {
  readonly errors: readonly FieldError[];

  constructor(errors: readonly FieldError[]) {
    super(errors.map((error) => `${error.loc.join('.')}: ${error.msg}`).join('; '));
    this.name = 'InvalidInput';
    this.errors = errors;
  }
}

interface RawInput {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly headers: { readonly 'content-type'?: string | undefined };
}

/** Parses everything the endpoint declares; all refused fields are reported at once. */
export function parseInput<E extends Endpoint>(endpoint: E, raw: RawInput): Input<E> {
  const errors: FieldError[] = [];
  const parsed: Record<string, unknown> = {};
  for (const [source, schema, value] of [
    ['path', endpoint.params, raw.params],
    ['query', endpoint.query, endpoint.query && lastOfRepeated(endpoint.query, raw.query)],
    ['body', endpoint.bodyType === 'multipart' ? undefined : endpoint.body, bodyOf(endpoint, raw)],
  ] as const) {
    if (!schema) {
      continue;
    }
    const result = schema.safeParse(value, { reportInput: true });
    if (result.success) {
      parsed[source === 'path' ? 'params' : source] = result.data;
    } else {
      errors.push(...result.error.issues.map((issue) => toFieldError(source, issue)));
    }
  }
  if (errors.length > 0) {
    throw new InvalidInput(errors);
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the schemas of this very endpoint have just made it
  return parsed as unknown as Input<E>;
}

/** An endpoint that takes a form finds nothing in any other kind of body, and one that takes JSON nothing in a form. */
function bodyOf({ bodyType }: Endpoint, { body, headers }: RawInput): unknown {
  const isForm = /^application\/x-www-form-urlencoded\s*(;|$)/i.test(headers['content-type'] ?? '');
  return isForm === (bodyType === 'form') ? body : bodyType === 'form' ? {} : undefined;
}

function lastOfRepeated(schema: z.ZodObject, query: unknown): Record<string, unknown> {
  const parameters: Readonly<Record<string, z.core.$ZodType | undefined>> = schema.shape;
  return Object.fromEntries(
    Object.entries(query ?? {}).map(([name, value]) => [
      name,
      Array.isArray(value) && !isRepeated(parameters[name]) ? value.at(-1) : value,
    ]),
  );
}

function toFieldError(source: string, issue: z.core.$ZodIssue): FieldError {
  const loc = [source, ...issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key))];
  const input = boundedInput(issue.input);
  if (issue.code === 'custom') {
    const { type, ctx } = issue.params ?? {};
    return {
      type: typeof type === 'string' ? type : 'value_error',
      loc,
      msg: issue.message,
      input,
      ...(ctx === undefined ? {} : { ctx }),
    };
  }
  if (issue.code === 'invalid_type' && issue.input === undefined) {
    return { type: 'missing', loc, msg: 'Field required', input };
  }
  const types: Partial<Record<typeof issue.code, string>> = {
    invalid_type:
      issue.code === 'invalid_type' && issue.expected === 'array' ? 'list_type' : 'model_attributes_type',
    too_small: 'too_short',
    too_big: 'too_long',
    invalid_union: 'value_error',
    unrecognized_keys: 'extra_forbidden',
  };
  return { type: types[issue.code] ?? 'value_error', loc, msg: issue.message, input };
}

/** What was sent is shown back only while it is small: an answer must not grow with a hostile request. */
function boundedInput(input: unknown): unknown {
  if (typeof input === 'string') {
    return input.length > 200 ? `${input.slice(0, 200).toWellFormed()}…` : input.toWellFormed();
  }
  return typeof input === 'object' && input !== null ? {} : (input ?? null);
}
