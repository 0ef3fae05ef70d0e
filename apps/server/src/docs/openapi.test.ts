import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type TestApp, testApp } from '../testing/app.ts';

/** What people read at /docs: nothing in it is left unexplained. */

const schemaNode = z.looseObject({
  $ref: z.string().optional(),
  description: z.string().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.unknown().optional(),
  anyOf: z.array(z.unknown()).optional(),
});
const parameter = z.object({ name: z.string(), in: z.string(), description: z.string().optional() });
const operation = z.object({
  operationId: z.string(),
  summary: z.string().min(1),
  description: z.string().optional(),
  parameters: z.array(parameter).default([]),
  requestBody: z.object({ content: z.record(z.string(), z.object({ schema: z.unknown() })) }).optional(),
  responses: z.record(z.string(), z.looseObject({ headers: z.record(z.string(), z.unknown()).optional() })),
});
const documentShape = z.object({
  paths: z.record(z.string(), z.record(z.string(), operation)),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
});

let app: TestApp;
let document: z.output<typeof documentShape>;
beforeAll(async () => {
  app = await testApp();
  document = documentShape.parse((await app.get('//openapi.json', { role: null })).json());
});
afterAll(() => app.close());

const operations = () => Object.values(document.paths).flatMap((methods) => Object.values(methods));

/** The fields of a schema that nobody explains, by their paths; each named schema is looked into once. */
function unexplained(schema: unknown, path: string, seen = new Set<string>()): string[] {
  const { $ref, properties = {}, items, anyOf = [] } = schemaNode.parse(schema ?? {});
  const name = $ref?.split('/').at(-1);
  if (name !== undefined) {
    if (seen.has(name)) return [];
    seen.add(name);
    return unexplained(document.components.schemas[name], name, seen);
  }
  return [
    ...Object.entries(properties).flatMap(([field, inner]) => {
      const place = `${path}.${field}`;
      const { description } = schemaNode.parse(inner);
      return [...(description ? [] : [place]), ...unexplained(inner, place, seen)];
    }),
    ...(items === undefined ? [] : unexplained(items, `${path}[]`, seen)),
    ...anyOf.flatMap((inner) => unexplained(inner, path, seen)),
  ];
}

test('a download can be asked for in parts', () => {
  const download = operations().find(({ operationId }) => operationId === 'files.content');
  expect(download?.parameters.map(({ name }) => name)).toContain('Range');
  expect(Object.keys(download?.responses ?? {})).toEqual(expect.arrayContaining(['200', '206', '416']));
  expect(Object.keys(download?.responses['206']?.headers ?? {})).toEqual(['Content-Range']);
  expect(operations().filter(({ responses }) => '206' in responses)).toHaveLength(1);
});

describe('the API document explains', () => {
  test('every endpoint', () => {
    expect(operations().length).toBeGreaterThan(80);
    expect(
      operations()
        .filter(({ description }) => !description)
        .map(({ operationId }) => operationId),
    ).toEqual([]);
  });

  test('every parameter', () => {
    const found = operations().flatMap(({ operationId, parameters }) =>
      parameters.filter(({ description }) => !description).map(({ name }) => `${operationId} ${name}`),
    );
    expect(found).toEqual([]);
  });

  test('every field of a body that is sent', () => {
    const found = operations().flatMap(({ operationId, requestBody }) =>
      Object.values(requestBody?.content ?? {}).flatMap(({ schema }) => unexplained(schema, operationId)),
    );
    expect(found).toEqual([]);
  });
});
