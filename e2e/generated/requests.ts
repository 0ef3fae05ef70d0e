import { z } from 'zod';
import type { Random } from './random.ts';
import { brokenValue, hostileValue, type Schema, validValue, type World } from './values.ts';

const jsonSchema = z.custom<Schema>((value) => typeof value === 'object' && value !== null);
const content = z.record(z.string(), z.object({ schema: jsonSchema }));
const parameter = z.object({ name: z.string(), in: z.string(), required: z.boolean().optional(), schema: jsonSchema });
const operation = z.object({
  operationId: z.string(),
  parameters: z.array(parameter).optional(),
  requestBody: z.object({ content }).optional(),
  responses: z.record(z.string(), z.object({ content: content.optional() })),
});

/** What requests are made from: the part of an OpenAPI document that we use. */
export const documentSchema = z.object({
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ schemas: z.record(z.string(), jsonSchema) }),
});

type Parameter = z.output<typeof parameter>;
type Operation = z.output<typeof operation>;
export type Document = z.output<typeof documentSchema>;

export interface GeneratedRequest {
  readonly operation: Operation;
  readonly intent: 'valid' | 'invalid' | 'hostile';
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | FormData;
}

export interface NamedOperation {
  readonly method: string;
  readonly template: string;
  readonly operation: Operation;
}

export function operationsOf(document: Document): NamedOperation[] {
  return Object.entries(document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), template, operation })),
  );
}

/** A request to the operation: as the document asks for it, with something wrong in it, or with nothing right in it. */
export function generateRequest(
  { method, template, operation }: NamedOperation,
  intent: GeneratedRequest['intent'],
  world: World,
): GeneratedRequest {
  const { random } = world;
  // What "invalid" breaks: one place of the request; the rest stays right, so that it is reached.
  const breakBody = intent === 'invalid' && operation.requestBody !== undefined && random.chance(0.6);
  const value = (parameter: Parameter): unknown => {
    const valid = validValue(parameter.schema, knownAs(parameter, template), world);
    if (intent === 'hostile') {
      return random.chance(0.7) ? hostileValue(random) : valid;
    }
    return intent === 'invalid' && !breakBody && random.chance(0.5) ? brokenValue(valid, random) : valid;
  };
  const headers: Record<string, string> = {};
  const query = new URLSearchParams();
  let path = template;
  for (const parameter of operation.parameters ?? []) {
    if (parameter.in === 'path') {
      path = path.replace(`{${parameter.name}}`, encodeURIComponent(inUrl(asText(value(parameter)), random)) || '%20');
    } else if (parameter.in === 'query' && (parameter.required || random.chance(0.4))) {
      const given = value(parameter);
      for (const item of Array.isArray(given) ? given : [given]) {
        query.append(parameter.name, inUrl(asText(item), random));
      }
    } else if (parameter.in === 'header' && random.chance(0.1)) {
      headers[parameter.name.toLowerCase()] = random.pick(['*', '"1"', '"999999"', 'W/"1"', 'x', '""', '"1", "2"']);
    }
  }
  const search = query.size > 0 ? `?${query.toString()}` : '';
  const request = { operation, intent, method, path: `${path}${search}` };
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (type === undefined || content === undefined) {
    return { ...request, headers };
  }
  if (type === 'multipart/form-data') {
    return { ...request, headers, body: multipart(intent, world) };
  }
  const valid = validValue(content.schema, '', world);
  const body =
    intent === 'hostile' && random.chance(0.8)
      ? random.chance(0.5)
        ? hostileValue(random)
        : brokenValue(brokenValue(brokenValue(valid, random), random), random)
      : breakBody
        ? brokenValue(valid, random)
        : valid;
  if (type === 'application/x-www-form-urlencoded') {
    return { ...request, headers: { ...headers, 'content-type': type }, body: form(body).toString() };
  }
  const json = JSON.stringify(body) ?? '';
  const spoiled = intent === 'hostile' && random.chance(0.15) ? random.pick(['{', json.slice(0, -1), `${json}}`, '\u0000', '[1,', '']) : json;
  return { ...request, headers: { ...headers, 'content-type': 'application/json' }, body: spoiled };
}

/** `/suppliers/{id}` asks for what `supplier_id` refers to. */
function knownAs({ name }: Parameter, template: string): string {
  const collection = /(\w[\w-]*)\/\{id\}/.exec(template)?.[1];
  if (name !== 'id' || collection === undefined) {
    return name;
  }
  return `${collection.replace(/ies$/, 'y').replace(/s$/, '').replaceAll('-', '_')}_id`;
}

/** Longer ones are refused for the size of the request line alone, and reach nothing; a few may be. */
function inUrl(text: string, random: Random): string {
  return random.chance(0.95) ? text.slice(0, 1000).toWellFormed() : text;
}

function asText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value) ?? 'undefined';
  return text.toWellFormed();
}

function form(body: unknown): URLSearchParams {
  const members = typeof body === 'object' && body !== null && !Array.isArray(body) ? body : { body };
  return new URLSearchParams(Object.entries(members).map(([name, value]): [string, string] => [name, asText(value)]));
}

function multipart(intent: GeneratedRequest['intent'], { random }: World): FormData {
  const data = new FormData();
  const content = new Blob(['content '.repeat(random.below(200))]);
  if (intent === 'valid') {
    data.append('file', content, random.pick(['offer.pdf', 'הצעת מחיר.docx', 'no ending', 'a.tar.gz']));
  } else if (random.chance(0.3)) {
    data.append('file', 'plain text and no file');
  } else if (random.chance(0.3)) {
    data.append('other', content, 'offer.pdf');
  } else {
    data.append('file', content, asText(hostileValue(random)));
  }
  return data;
}
