import { readFileSync } from 'node:fs';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { renderTableTypes } from './table-types.ts';

let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

async function rendered(): Promise<string> {
  const client = await database.pool.connect();
  try {
    return await renderTableTypes(client);
  } finally {
    client.release();
  }
}

test('the types of the tables are those of the migrated database', async () => {
  const written = readFileSync(new URL('generated/tables.ts', import.meta.url), 'utf8');
  expect(await rendered(), 'packages/db/src/generated/tables.ts is stale: run npm run gen').toBe(written);
});

test('each kind of column has the type in which it arrives', async () => {
  await database.pool.query(`
    create type colour as enum ('RED', 'BLUE');
    create table every_kind (
      id bigint generated always as identity primary key,
      small serial,
      colour colour not null,
      colours colour[] not null default '{}',
      amount numeric,
      day date not null,
      days date[],
      at timestamptz not null default now(),
      amounts numeric[] not null,
      document jsonb not null,
      half integer generated always as (2) stored
    )`);
  const types = await rendered();
  expect(types).toContain("export type Colour = 'RED' | 'BLUE';");
  expect(types).toContain(`export interface EveryKindTable {
  id: GeneratedAlways<BigInteger>;
  small: Generated<number>;
  colour: Colour;
  colours: Generated<Colour[]>;
  amount: Numeric | null;
  day: string;
  days: string[] | null;
  at: Generated<Instant>;
  amounts: string[];
  document: unknown;
  half: GeneratedAlways<number | null>;
}`);
  expect(types).toContain('  every_kind: EveryKindTable;');
});

test('a column of a kind that nobody has thought about is named', async () => {
  await database.pool.query('create table odd (position point)');
  await expect(rendered()).rejects.toThrow('odd.position (point)');
});
