import type pg from 'pg';

interface ColumnRow {
  readonly table_name: string;
  readonly column_name: string;
  readonly type_name: string;
  /** The labels of an enum, in declared order. */
  readonly labels: readonly string[] | null;
  readonly is_array: boolean;
  readonly nullable: boolean;
  readonly has_default: boolean;
  readonly always_generated: boolean;
}

const COLUMNS = `
  select c.relname as table_name, a.attname as column_name,
    coalesce(element.typname, base.typname) as type_name,
    (select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e
     where e.enumtypid = coalesce(element.oid, base.oid)) as labels,
    element.oid is not null as is_array,
    not a.attnotnull as nullable,
    a.atthasdef or a.attidentity <> '' as has_default,
    a.attidentity = 'a' or a.attgenerated <> '' as always_generated
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_type base on base.oid = a.atttypid
  left join pg_type element on element.oid = base.typelem and base.typcategory = 'A'
  where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
  order by c.relname collate "C", a.attnum`;

/** What a column of a type gives and takes. One name: the same both ways. */
const KNOWN_TYPES: Readonly<Record<string, string>> = {
  bool: 'boolean',
  int2: 'number',
  int4: 'number',
  int8: 'BigInteger',
  float4: 'number',
  float8: 'number',
  numeric: 'Numeric',
  text: 'string',
  varchar: 'string',
  bpchar: 'string',
  citext: 'string',
  name: 'string',
  uuid: 'string',
  inet: 'string',
  interval: 'string',
  date: 'string',
  time: 'string',
  timestamptz: 'Instant',
  json: 'unknown',
  jsonb: 'unknown',
  bytea: 'Buffer',
  tsvector: 'string',
};

/** Inside an array there is only one direction. */
const ELEMENTS: Readonly<Record<string, string>> = {
  BigInteger: 'string',
  Numeric: 'string',
  Instant: 'Date',
};

const HEADER = `// Written by \`npm run gen\` from the migrated database. Do not edit.
import type { ColumnType } from 'kysely';

/** The database fills it in when an insert leaves it out. */
export type Generated<T> =
  T extends ColumnType<infer S, infer I, infer U> ? ColumnType<S, I | undefined, U> : ColumnType<T, T | undefined, T>;
/** Only the database fills it in. */
export type GeneratedAlways<T> = T extends ColumnType<infer S, unknown, unknown> ? ColumnType<S, never, never> : ColumnType<T, never, never>;

/** Arrives as text: a number would round it. */
export type BigInteger = ColumnType<string, string | number | bigint, string | number | bigint>;
/** Exact; arrives as text: a number would round it. */
export type Numeric = ColumnType<string, string | number, string | number>;
export type Instant = ColumnType<Date, Date | string, Date | string>;
`;

/** The types of all tables of the schema, as TypeScript for the query builder; the same schema gives the same text. */
export async function renderTableTypes(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<ColumnRow>(COLUMNS);
  const enums = new Map<string, readonly string[]>();
  const tables = new Map<string, ColumnRow[]>();
  for (const row of rows) {
    if (row.labels !== null) enums.set(row.type_name, row.labels);
    tables.set(row.table_name, [...(tables.get(row.table_name) ?? []), row]);
  }
  const names = [...tables.keys()];
  return [
    HEADER,
    ...[...enums]
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, labels]) => `export type ${pascal(name)} = ${union(labels)};\n`),
    ...[...tables].map(
      ([name, columns]) =>
        `export interface ${pascal(name)}Table {\n${columns.map((column) => `  ${column.column_name}: ${typeOf(column)};\n`).join('')}}\n`,
    ),
    `export interface Tables {\n${names.map((name) => `  ${name}: ${pascal(name)}Table;\n`).join('')}}\n`,
    `/** For what must know them at run time, as the privileges do. */\nexport const TABLE_NAMES: readonly (keyof Tables)[] = [\n${names.map((name) => `  '${name}',\n`).join('')}];\n`,
  ].join('\n');
}

function typeOf(column: ColumnRow): string {
  const name = column.labels === null ? KNOWN_TYPES[column.type_name] : pascal(column.type_name);
  if (name === undefined) {
    throw new Error(
      `No TypeScript type is known for ${column.table_name}.${column.column_name} (${column.type_name}).`,
    );
  }
  const element = column.is_array ? `${ELEMENTS[name] ?? name}[]` : name;
  const whole = column.nullable && name !== 'unknown' ? `${element} | null` : element;
  if (column.always_generated) return `GeneratedAlways<${whole}>`;
  return column.has_default ? `Generated<${whole}>` : whole;
}

function union(labels: readonly string[]): string {
  return labels.map((label) => `'${label}'`).join(' | ');
}

function pascal(name: string): string {
  return name
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
