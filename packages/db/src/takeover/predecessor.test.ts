import { readFile } from 'node:fs/promises';
import { createTestDatabase, type TestDatabase } from '@calculaud/testing/database';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TABLE_NAMES, TABLES } from './predecessor.ts';

/** Only the first two migrations: the state that a takeover brings the old tables to, and the rules that it checks. */
let database: TestDatabase;

beforeAll(async () => {
  database = await createTestDatabase({ empty: true });
  for (const file of ['0001_tables.sql', '0002_constraints_and_indexes.sql']) {
    await database.pool.query(await readFile(new URL(`../../migrations/${file}`, import.meta.url), 'utf8'));
  }
});
afterAll(() => database.drop());

async function lines(query: string): Promise<string[]> {
  const { rows } = await database.pool.query<{ line: string }>(query);
  return rows.map(({ line }) => line).toSorted();
}

const described = TABLE_NAMES.flatMap((table) =>
  Object.entries(TABLES[table].columns).map(([name, column]) => ({ table, name, column })),
);

test('the columns that are filled are those of our tables, with their limits', async () => {
  const expected = described.map(({ table, name, column: { kind, required, limit, becomes } }) => {
    const type = {
      whole: 'integer',
      flag: 'boolean',
      text: limit === undefined ? 'text' : `character varying(${limit})`,
      time: 'timestamp with time zone',
      day: 'date',
      amount: 'numeric',
      choice: becomes ?? 'text',
    }[kind];
    return `${table}.${name} ${type} ${required}`;
  });
  expect(expected.toSorted()).toEqual(
    await lines(`
      select c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull as line
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
      where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`),
  );
});

test('every foreign key is one that is checked', async () => {
  expect(
    described
      .flatMap(({ table, name, column }) =>
        column.references === undefined ? [] : [`${table}.${name} ${column.references}`],
      )
      .toSorted(),
  ).toEqual(
    await lines(`
      select n.conrelid::regclass || '.' || a.attname || ' ' || n.confrelid::regclass as line
      from pg_constraint n join pg_attribute a on a.attrelid = n.conrelid and a.attnum = any(n.conkey)
      where n.contype = 'f'`),
  );
});

test('every key and unique constraint is one that is checked', async () => {
  const unique = TABLE_NAMES.flatMap((table) =>
    [TABLES[table].key, ...TABLES[table].unique].map((columns) => `${table} ${columns.toSorted().join(' ')}`),
  );
  expect(unique.toSorted()).toEqual(
    await lines(`
      select n.conrelid::regclass || ' ' || string_agg(a.attname, ' ' order by a.attname collate "C") as line
      from pg_constraint n join pg_attribute a on a.attrelid = n.conrelid and a.attnum = any(n.conkey)
      where n.contype in ('p', 'u') and n.connamespace = 'public'::regnamespace group by n.oid`),
  );
});

test('every other check is one of those that were thought of', async () => {
  expect(
    await lines(
      "select conname as line from pg_constraint where contype = 'c' and connamespace = 'public'::regnamespace",
    ),
  ).toEqual([
    'cost_amount_check',
    'file_attachment_file_size_check',
    'hierarchy_parent_id_check',
    'predefined_flow_stage_priority_check',
    'purpose_content_quantity_check',
    'stage_priority_check',
  ]);
});
