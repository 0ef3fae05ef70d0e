import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { Random } from './generated/random.ts';
import {
  type Document,
  documentSchema,
  type GeneratedRequest,
  generateRequest,
  operationsOf,
} from './generated/requests.ts';
import type { Schema, World } from './generated/values.ts';
import {
  adminToken,
  full,
  newDataDirectory,
  removeDataDirectory,
  startSystem,
  type System,
} from './system.ts';

/**
 * Requests made from the OpenAPI document alone, against the running system: right ones, wrong ones, hostile ones. None
 * may be answered 5xx, and every answer must be what the document says. The number of the bar is 10,000.
 */

const count = full ? 10_000 : 1_500;
const seed = Number(process.env['CALCULAUD_SEED'] ?? 20_261_123);

const withId = z.object({ id: z.int() });
const records = z.object({
  items: z.array(
    withId.extend({
      purchases: z.array(withId.extend({ current_pending_stages: z.array(withId) })).optional(),
      file_attachments: z.array(withId).optional(),
    }),
  ),
});

let directory: string;
let system: System;
let token: string;

beforeAll(async () => {
  directory = newDataDirectory();
  system = await startSystem(directory);
  token = await adminToken(directory);
});
afterAll(async () => {
  await system.stop();
  removeDataDirectory(directory);
});

test(`${count} generated requests (seed ${seed}): no 5xx, every answer as documented`, async () => {
  const document = documentSchema.parse(await (await fetch(`${system.url}/openapi.json`)).json());
  const operations = operationsOf(document);
  const random = new Random(seed);
  const validate = validatorOf(document);
  const world = {
    random,
    resolve: (reference: string) => resolve(document, reference),
    known: await knownIds(),
  };
  const statuses = new Map<string, number>();
  const faults: string[] = [];

  for (let i = 0; i < count; i += 1) {
    // Each operation in turn, so that a small number reaches all of them.
    const operation = operations[i % operations.length];
    if (operation === undefined) {
      throw new Error('the document has no operations');
    }
    const intent = random.pick(['valid', 'valid', 'invalid', 'hostile'] as const);
    const request = generateRequest(operation, intent, world);
    const response = await fetch(`${system.url}${request.path}`, {
      method: request.method,
      headers: { authorization: `Bearer ${token}`, ...request.headers },
      ...(request.body === undefined ? {} : { body: request.body }),
      redirect: 'manual',
    });
    const text = await response.text();
    const key = `${intent} ${response.status}`;
    statuses.set(key, (statuses.get(key) ?? 0) + 1);
    const fault = faultOf(request, response, text, validate);
    if (fault) {
      faults.push(
        `${i}: ${request.method} ${request.path.slice(0, 300)} ${typeof request.body === 'string' ? request.body.slice(0, 300) : ''} → ${fault}`,
      );
    }
    if (i % 100 === 99) {
      world.known = await knownIds();
    }
  }
  console.log(Object.fromEntries([...statuses].toSorted(([a], [b]) => a.localeCompare(b))));
  expect(faults.slice(0, 20)).toEqual([]);
  // The generator must really reach the inside: most valid requests are answered 2xx, or nothing was tested.
  const valid = [...statuses].filter(([key]) => key.startsWith('valid'));
  const good = valid.filter(([key]) => / 2\d\d$/.test(key)).reduce((sum, [, n]) => sum + n, 0);
  const all = valid.reduce((sum, [, n]) => sum + n, 0);
  expect(good / all).toBeGreaterThan(0.5);
});

type Validate = (schema: Schema, value: unknown) => string | undefined;

function faultOf(
  request: GeneratedRequest,
  response: Response,
  text: string,
  validate: Validate,
): string | undefined {
  const { status } = response;
  if (status >= 500) {
    return `${status}: ${text.slice(0, 300)}`;
  }
  if (/\b(select|insert into|update) .* (from|set|values) |at .*\.(js|ts):\d+/i.test(text) && status >= 400) {
    return `shows its inside: ${text.slice(0, 300)}`;
  }
  const documented = request.operation.responses[status];
  if (!documented) {
    // A path parameter may make another path of it; what is too large is cut off before it is looked at.
    return [404, 405, 413, 431].includes(status) && request.intent !== 'valid'
      ? undefined
      : `${status} is not documented: ${text.slice(0, 300)}`;
  }
  const schema = documented.content?.['application/json']?.schema;
  if (!schema) {
    return undefined;
  }
  const type = response.headers.get('content-type') ?? '';
  return type.startsWith('application/json')
    ? validate(schema, JSON.parse(text))
    : `${status} with type ${type}`;
}

function validatorOf(document: Document): Validate {
  const ajv = new Ajv2020({ strict: false, allErrors: false });
  formats(ajv);
  ajv.addSchema({ $id: 'document', ...document });
  const compiled = new Map<string, ReturnType<typeof ajv.compile>>();
  return (schema, value) => {
    const text = JSON.stringify(schema).replaceAll('"#/components', '"document#/components');
    let check = compiled.get(text);
    if (!check) {
      check = ajv.compile(z.record(z.string(), z.unknown()).parse(JSON.parse(text)));
      compiled.set(text, check);
    }
    return check(value)
      ? undefined
      : `does not match its schema: ${ajv.errorsText(check.errors)}: ${JSON.stringify(value).slice(0, 300)}`;
  };
}

function resolve(document: Document, reference: string): Schema {
  const schema = document.components.schemas[reference.replace('#/components/schemas/', '')];
  if (!schema) {
    throw new Error(`the document refers to ${reference}, which it does not have`);
  }
  return schema;
}

/** Ids that exist right now, so that valid requests meet records. */
async function knownIds(): Promise<World['known']> {
  const known = new Map<string, unknown[]>();
  const idsOf = async (path: string) => {
    const response = await fetch(`${system.url}/api/v1${path}?limit=40`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return response.ok ? records.parse(await response.json()).items : [];
  };
  for (const [name, path] of [
    ['supplier_id', '/suppliers'],
    ['service_type_id', '/service-types'],
    ['service_id', '/services'],
    ['budget_source_id', '/budget-sources'],
    ['responsible_authority_id', '/responsible-authorities'],
    ['pending_authority_id', '/responsible-authorities'],
    ['stage_type_id', '/stage-types'],
    ['hierarchy_id', '/hierarchies'],
    ['flow_id', '/predefined-flows'],
  ] as const) {
    known.set(
      name,
      (await idsOf(path)).map((item) => item.id),
    );
  }
  const purposes = await idsOf('/purposes');
  const purchases = purposes.flatMap((purpose) => purpose.purchases ?? []);
  known.set(
    'purpose_id',
    purposes.map((purpose) => purpose.id),
  );
  known.set(
    'purchase_id',
    purchases.map((purchase) => purchase.id),
  );
  known.set(
    'stage_id',
    purchases.flatMap((purchase) => purchase.current_pending_stages.map((stage) => stage.id)),
  );
  known.set(
    'file_id',
    purposes.flatMap((purpose) => (purpose.file_attachments ?? []).map((file) => file.id)),
  );
  known.set('currency', ['ILS', 'SUPPORT_USD', 'AVAILABLE_USD']);
  return known;
}
