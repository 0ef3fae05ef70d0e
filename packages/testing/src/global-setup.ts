import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { removeAbandonedTestServers, TEST_FOLDER_PREFIX } from './abandoned.ts';
import { migrateTemplate, TEMPLATE } from './template.ts';

let server: EmbeddedPostgres | undefined;

/** One server for the whole run of the tests, with nothing made durable. */
export async function setup(project: TestProject): Promise<void> {
  await removeAbandonedTestServers();
  server = await startEmbeddedPostgres({
    dataDirectory: mkdtempSync(join(tmpdir(), TEST_FOLDER_PREFIX)),
    durability: 'none',
  });
  await createTemplate(server);
  project.provide('testServerDirectory', server.dataDirectory);
}

export async function teardown(): Promise<void> {
  if (server === undefined) return;
  await server.stop();
  rmSync(server.dataDirectory, { recursive: true, force: true });
}

async function createTemplate(running: EmbeddedPostgres): Promise<void> {
  const superuser = new Client({ connectionString: running.superuserConnectionString('postgres') });
  await superuser.connect();
  try {
    await superuser.query(`CREATE DATABASE ${TEMPLATE} OWNER calculaud_owner`);
    await migrateTemplate(running.connectionString('owner', TEMPLATE));
  } finally {
    await superuser.end();
  }
}
