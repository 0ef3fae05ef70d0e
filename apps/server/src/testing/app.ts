import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Endpoint } from '@calculaud/contract/endpoint';
import { permits, type Role } from '@calculaud/contract/permissions';
import { loadConfig } from '@calculaud/config/load';
import { type Database, openDatabase } from '@calculaud/db/database';
import { createTestDatabase } from '@calculaud/testing/database';
import { type AppOptions, buildApp } from '../app.ts';
import { Problem } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import { openStorage } from '../platform/storage.ts';

export interface TestResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The parsed JSON of the answer; throws when it is none. */
  json(): unknown;
  /** The answer, parsed by the response schema of the endpoint, with its status checked. */
  as<E extends Endpoint>(
    endpoint: E,
  ): E['success'] extends { body: { _zod: { output: infer T } } } ? T : undefined;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: admin. Null sends no credentials. */
  readonly role?: Role | null;
}

export interface TestAppOptions {
  /** Who sends a request is found out by this, and not told by the role. */
  readonly authenticator?: (services: Services) => AppOptions['authenticate'];
  readonly logStream?: AppOptions['logStream'];
}

export interface TestApp {
  readonly app: FastifyInstance;
  /** What its features work with: the database, and a store of files in a folder of its own. */
  readonly services: Services;
  /** Connected as the application's own role, with its own privileges. */
  readonly db: Database;
  /** The connection string of the database's owner, for what the application may not do. */
  readonly ownerUrl: string;
  get(path: string, options?: RequestOptions): Promise<TestResponse>;
  post(path: string, body?: unknown, options?: RequestOptions): Promise<TestResponse>;
  patch(path: string, body?: unknown, options?: RequestOptions): Promise<TestResponse>;
  put(path: string, body?: unknown, options?: RequestOptions): Promise<TestResponse>;
  delete(path: string, options?: RequestOptions): Promise<TestResponse>;
  close(): Promise<void>;
}

/**
 * The real application on a real database of its own. Paths are below `/api/v1` unless they start with `//`
 * (`//health` is `/health`). Who sends the request is told by role and not by a token: sign-in has tests of its own.
 */
export async function testApp(
  environment: Record<string, string> = {},
  { authenticator, logStream }: TestAppOptions = {},
): Promise<TestApp> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'calculaud-test-app-'));
  const config = loadConfig({ LOG_LEVEL: 'silent', CALCULAUD_DATA: dataDirectory, ...environment });
  const database = await createTestDatabase();
  const db = openDatabase({
    connectionString: database.url('app'),
    poolSize: 10,
    statementTimeoutMs: 10_000,
    applicationName: 'calculaud test',
  });
  const { rows } = await database.pool.query<{ id: number }>(
    `insert into principal (kind, subject, name) values ('person', 'tester', 'Tester') returning id`,
  );
  const principalId = rows[0]?.id ?? 0;
  const services: Services = { config, db, storage: await openStorage(config.files.store) };
  const byRole: AppOptions['authenticate'] = async (request) => {
    const role = request.headers['x-test-role'];
    if (role !== 'admin' && role !== 'user') {
      throw new Problem('not_authenticated', 401, 'Not authenticated');
    }
    return { id: principalId, name: 'Tester', permits: (permission) => permits(role, permission) };
  };
  const app = await buildApp({
    ...services,
    authenticate: authenticator?.(services) ?? byRole,
    ...(logStream ? { logStream } : {}),
  });

  async function send(
    method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE',
    path: string,
    body: unknown,
    { headers = {}, role = 'admin' }: RequestOptions = {},
  ): Promise<TestResponse> {
    const raw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await app.inject({
      method,
      url: path.startsWith('//') ? path.slice(1) : `${config.http.prefix}${path}`,
      headers: {
        ...(role ? { 'x-test-role': role } : {}),
        ...(body !== undefined ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: raw ? Buffer.from(body) : JSON.stringify(body) }),
    });
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      json: (): unknown => JSON.parse(response.body),
      as: (endpoint) => {
        if (response.statusCode !== endpoint.success.status) {
          throw new Error(`${method} ${path} answered ${response.statusCode}: ${response.body}`);
        }
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- parsed by that very schema; the type is generic
        return endpoint.success.body?.parse(JSON.parse(response.body)) as never;
      },
    };
  }

  return {
    app,
    services,
    db,
    ownerUrl: database.url('owner'),
    get: (path, options) => send('GET', path, undefined, options),
    post: (path, body, options) => send('POST', path, body, options),
    patch: (path, body, options) => send('PATCH', path, body, options),
    put: (path, body, options) => send('PUT', path, body, options),
    delete: (path, options) => send('DELETE', path, undefined, options),
    close: async () => {
      await app.close();
      await db.close();
      await database.drop();
      await rm(dataDirectory, { recursive: true });
    },
  };
}
