import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderExample } from '@calculaud/config/example';
import { migrate } from '@calculaud/db/migrate';
import { renderTableTypes } from '@calculaud/db/table-types';
import { startEmbeddedPostgres } from '@calculaud/embedded/supervisor';
import pg from 'pg';

/** Writes the example of a configuration, and the types of all tables, read from a database that the migrations have just made. */

const example = fileURLToPath(new URL('../.env.example', import.meta.url));
writeFileSync(example, renderExample());
console.log(`Wrote ${example}`);

const target = fileURLToPath(new URL('../packages/db/src/generated/tables.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'calculaud-generate-'));
const server = await startEmbeddedPostgres({ dataDirectory: directory, durability: 'none' });
try {
  const connectionString = server.connectionString('owner');
  await migrate({ connectionString });
  const client = new pg.Client({ connectionString });
  await client.connect();
  writeFileSync(target, await renderTableTypes(client));
  await client.end();
  console.log(`Wrote ${target}`);
} finally {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}
