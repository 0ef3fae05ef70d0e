import { health } from '@calculaud/contract/health';
import { exportPurposes, getPurpose, listPurposes, summarizePurposes } from '@calculaud/contract/purposes';
import type { Config } from '@calculaud/config/config';
import { openDatabase } from '@calculaud/db/database';
import { assertSchemaFits } from '@calculaud/db/schema-fit';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { buildApp } from '../app.ts';
import { openStorage } from '../platform/storage.ts';

export interface ApplicationCheck {
  /** Until it answered that it is healthy. */
  readonly readyMs: number;
  readonly looked: string;
  readonly faults: readonly string[];
}

const page = z.object({ items: z.array(z.object({ id: z.int() })) });

/**
 * The application itself on a restored database, which it cannot change: does it start there, and answer what people ask
 * first? Nothing listens; the requests are handed to it.
 */
export async function tryApplication(config: Config, databaseUrl: string): Promise<ApplicationCheck> {
  const begin = performance.now();
  const url = new URL(databaseUrl);
  url.searchParams.set('options', '-c default_transaction_read_only=on');
  await assertSchemaFits(url.href);
  const db = openDatabase({
    connectionString: url.href,
    poolSize: 2,
    statementTimeoutMs: config.database.statementTimeoutMs,
    applicationName: 'calculaud drill',
  });
  const quiet = { ...config, log: { ...config.log, level: 'silent' as const } };
  const services = { config: quiet, db, storage: await openStorage(config.files.store) };
  const app = await buildApp({
    ...services,
    // Somebody who may see everything; what he would change the database refuses.
    authenticate: async () => ({ id: 0, name: 'drill', permits: () => true }),
  });
  try {
    const faults: string[] = [];
    const ask = async (path: string, read: (body: string) => unknown): Promise<void> => {
      const response = await app.inject({ method: 'GET', url: path });
      if (response.statusCode !== 200) {
        faults.push(`GET ${path} answered ${response.statusCode}: ${response.body.slice(0, 200)}`);
        return;
      }
      try {
        read(response.body);
      } catch (error) {
        faults.push(`GET ${path} answered what it should not: ${String(error).slice(0, 200)}`);
      }
    };
    const json = (body: string): unknown => JSON.parse(body);
    await ask('/health', (body) => health.success.body.parse(json(body)));
    const readyMs = performance.now() - begin;
    const asked = ['/health'];
    for (const [path, read] of await journey(app, config.http.prefix)) {
      asked.push(path);
      await ask(path, (body) => read(body));
    }
    return { readyMs, looked: `${asked.length} requests`, faults };
  } finally {
    await app.close();
    await db.close();
  }
}

type Step = readonly [path: string, read: (body: string) => unknown];

/** The first page, one purpose with all that belongs to it and its history, a search, a download of everything. */
async function journey(app: FastifyInstance, prefix: string): Promise<readonly Step[]> {
  const purposes = `${prefix}${listPurposes.path}`;
  const first = await app.inject({ method: 'GET', url: `${purposes}?limit=1` });
  const ids = first.statusCode === 200 ? page.parse(first.json()).items.map(({ id }) => id) : [];
  const json = (body: string): unknown => JSON.parse(body);
  return [
    [`${purposes}?limit=50`, (body) => listPurposes.success.body.parse(json(body))],
    [
      `${prefix}${summarizePurposes.path}?limit=50`,
      (body) => summarizePurposes.success.body.parse(json(body)),
    ],
    [`${purposes}?search=a&limit=10`, (body) => listPurposes.success.body.parse(json(body))],
    [`${prefix}${exportPurposes.path}`, (body) => z.string().min(1).parse(body)],
    ...ids.map(
      (id): Step => [
        `${prefix}${getPurpose.path.replace('{purpose_id}', String(id))}`,
        (body) => getPurpose.success.body.parse(json(body)),
      ],
    ),
  ];
}
