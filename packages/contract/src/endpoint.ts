import type { z } from 'zod';
import type { Permission } from './permissions.ts';

/**
 * One operation of the HTTP API: what the server validates, the documents describe and clients are typed by.
 * `path` is relative to the API prefix unless `atRoot`; collections end in a slash and answer without it too.
 * `errors` lists the statuses beyond 401, 403, 422 and 500 that the operation may answer.
 */
export interface Endpoint {
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE' | 'PUT';
  readonly path: string;
  readonly atRoot?: true;
  readonly summary: string;
  readonly description?: string;
  readonly permission: Permission | 'public';
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** The request body is no JSON: a form, or a multipart upload that the handler streams itself. */
  readonly bodyType?: 'form' | 'multipart';
  readonly success: Success;
  readonly errors?: readonly number[];
  /** With an Idempotency-Key header a repeated request is carried out once, and gets the first answer again. */
  readonly idempotent?: true;
}

export interface Success {
  readonly status: 200 | 201 | 204;
  /** Absent: no body. */
  readonly body?: z.ZodType;
  /** A body that is not JSON. */
  readonly mediaType?: string;
  /** A part of the body can be asked for by a Range header, and is answered with 206. */
  readonly ranges?: true;
  /** The answer carries an ETag, and writes of the record honour If-Match. */
  readonly versioned?: true;
}

/** Declares an endpoint, keeping the exact types of its schemas. */
export function endpoint<const E extends Endpoint>(definition: E): E {
  return definition;
}

type Parsed<T> = T extends z.ZodType ? z.output<T> : undefined;

/** What a handler of the endpoint receives: everything parsed. */
export interface Input<E extends Endpoint> {
  readonly params: Parsed<E['params']>;
  readonly query: Parsed<E['query']>;
  readonly body: Parsed<E['body']>;
}
