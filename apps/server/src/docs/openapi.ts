import { z } from 'zod';
import type { Endpoint } from '@calculaud/contract/endpoint';
import { problem, validationProblem } from '@calculaud/contract/problem';

export interface ApiDescription {
  readonly title: string;
  readonly version: string;
  readonly prefix: string;
  readonly endpoints: readonly Endpoint[];
}

type JsonObject = Record<string, unknown>;

const errorTitles: Readonly<Record<number, string>> = {
  400: 'A reference or a rule is wrong',
  401: 'No or bad credentials',
  403: 'The credentials do not allow this',
  404: 'No such record',
  408: 'The other side did not answer in time',
  409: 'In conflict with other records',
  412: 'The record was changed since it was read (If-Match)',
  413: 'Larger than the server accepts',
  416: 'The file ends before the range that was asked for',
  421: 'The Host of the request is not one that this server answers to (CALCULAUD_ALLOWED_HOSTS)',
  422: 'A field is missing or malformed',
  429: 'Too many requests: wait as long as Retry-After says',
  500: 'Something unexpected went wrong on our side',
  502: 'The other side failed',
  503: 'Not able to serve at the moment',
};

/** The OpenAPI 3.1 document of the endpoints, made from the same schemas that validate requests and answers. */
export function openApiDocument({ title, version, prefix, endpoints }: ApiDescription): JsonObject {
  const components: JsonObject = {};
  const paths: Record<string, JsonObject> = {};
  for (const endpoint of endpoints) {
    const path = endpoint.atRoot ? endpoint.path : `${prefix}${endpoint.path}`;
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(endpoint, components) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title,
      version,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      description:
        'Records of purposes (needs), the purchases that serve them and the stages each purchase goes through. ' +
        'Send `Authorization: Bearer <token>`. Collections answer with and without the slash at the end.',
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: [...new Set(endpoints.map(tagOf))].map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A JWT of the identity provider, or an API token (`calculaud token create`).',
        },
      },
      schemas: components,
    },
  };
}

function tagOf(endpoint: Endpoint): string {
  return endpoint.atRoot ? 'system' : (endpoint.path.split('/')[1] ?? 'system');
}

function operation(endpoint: Endpoint, components: JsonObject): JsonObject {
  const { success } = endpoint;
  const versioned = success.versioned === true || endpoint.errors?.includes(412);
  const parameters = [
    ...parametersOf('path', endpoint.params, components),
    ...parametersOf('query', endpoint.query, components),
    ...(endpoint.method !== 'GET' && versioned && endpoint.params
      ? [
          {
            name: 'If-Match',
            in: 'header',
            description:
              'The ETag that was read; the change is refused with 412 when somebody else was faster.',
            schema: { type: 'string' },
          },
        ]
      : []),
    ...(success.ranges
      ? [
          {
            name: 'Range',
            in: 'header',
            description:
              'The bytes that are wanted, such as `bytes=0-1023`: one range, answered with 206; several get the whole body.',
            schema: { type: 'string' },
          },
        ]
      : []),
    ...(endpoint.idempotent
      ? [
          {
            name: 'Idempotency-Key',
            in: 'header',
            description:
              'Any text of your choice: a request that is repeated with it within a day is carried out once and gets the first answer.',
            schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]+$' },
          },
        ]
      : []),
  ];
  return {
    operationId: endpoint.id,
    summary: endpoint.summary,
    ...(endpoint.description ? { description: endpoint.description } : {}),
    tags: [tagOf(endpoint)],
    ...(endpoint.permission === 'public' ? { security: [] } : { 'x-permission': endpoint.permission }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(endpoint.body ? { requestBody: requestBody(endpoint, endpoint.body, components) } : {}),
    responses: {
      [success.status]: {
        description: success.status === 204 ? 'Done' : success.status === 201 ? 'Created' : 'OK',
        ...(success.versioned
          ? { headers: { ETag: { description: 'The version of the record', schema: { type: 'string' } } } }
          : {}),
        ...contentOf(endpoint, components),
      },
      ...(success.ranges ? { 206: partOf(endpoint, components) } : {}),
      ...Object.fromEntries(
        errorsOf(endpoint).map((status) => [status, errorResponse(endpoint, status, components)]),
      ),
    },
  };
}

function requestBody(endpoint: Endpoint, body: z.ZodType, components: JsonObject): JsonObject {
  const type = {
    json: 'application/json',
    form: 'application/x-www-form-urlencoded',
    multipart: 'multipart/form-data',
  }[endpoint.bodyType ?? 'json'];
  return {
    required: !body.safeParse(undefined).success,
    content: { [type]: { schema: schemaOf(body, 'input', components) } },
  };
}

function contentOf({ success }: Endpoint, components: JsonObject): JsonObject {
  if (success.mediaType) {
    return { content: { [success.mediaType.split(';')[0] ?? '']: { schema: { type: 'string' } } } };
  }
  return success.body
    ? { content: { 'application/json': { schema: schemaOf(success.body, 'output', components) } } }
    : {};
}

/** The answer to a request for a part of the body. */
function partOf(endpoint: Endpoint, components: JsonObject): JsonObject {
  return {
    description: 'The part of it that the Range header asked for',
    headers: {
      'Content-Range': {
        description: 'Which bytes these are, and of how many: `bytes 0-1023/4096`',
        schema: { type: 'string' },
      },
    },
    ...contentOf(endpoint, components),
  };
}

function errorsOf(endpoint: Endpoint): number[] {
  const statuses = new Set([...(endpoint.errors ?? []), 500]);
  if (endpoint.permission !== 'public') {
    statuses.add(401).add(403).add(421).add(503);
  }
  if (endpoint.params || endpoint.query || endpoint.body) {
    statuses.add(422);
  }
  return [...statuses].toSorted((a, b) => a - b);
}

function errorResponse(endpoint: Endpoint, status: number, components: JsonObject): JsonObject {
  // A 503 of the health endpoint tells the same as its 200.
  const body =
    status === 422
      ? validationProblem
      : status === 503 && endpoint.id === 'health'
        ? endpoint.success.body
        : problem;
  return {
    description: errorTitles[status] ?? 'Refused',
    content: { 'application/json': { schema: schemaOf(body ?? problem, 'output', components) } },
  };
}

function parametersOf(
  place: 'path' | 'query',
  schema: z.ZodObject | undefined,
  components: JsonObject,
): JsonObject[] {
  const fields: Readonly<Record<string, z.ZodType>> = schema?.shape ?? {};
  return Object.entries(fields).map(([name, field]) => {
    const { description, ...own } = schemaOf(field, 'input', components);
    return {
      name,
      in: place,
      required: place === 'path' || !field.safeParse(undefined).success,
      ...(description === undefined ? {} : { description }),
      schema: own,
    };
  });
}

/** The JSON schema; what has a name (`meta({ id })`) is put among the components and referred to. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', components: JsonObject): JsonObject {
  const { $schema: _, $defs, ...own } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  const named = own.id === undefined ? { ...$defs } : { ...$defs, [own.id]: own };
  for (const [name, definition] of Object.entries(named)) {
    components[name] = Object.fromEntries(referring(definition));
  }
  return own.id === undefined ? Object.fromEntries(referring(own)) : { $ref: `${COMPONENTS}${own.id}` };
}

const COMPONENTS = '#/components/schemas/';

/** The members of a schema, referring to the components of the document instead of to definitions of its own. */
function referring(schema: object): [string, unknown][] {
  return Object.entries(schema).flatMap(([name, value]): [string, unknown][] => {
    if (name === 'id' && typeof value === 'string') {
      return [];
    }
    if (name === '$ref' && typeof value === 'string') {
      return [[name, value.replace('#/$defs/', COMPONENTS)]];
    }
    return [[name, inside(value)]];
  });
}

function inside(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(inside);
  }
  return typeof value === 'object' && value !== null ? Object.fromEntries(referring(value)) : value;
}
