import pg from 'pg';
import { HIERARCHY, SERVICES, SUPPLIERS } from './dataset/organisation.ts';
import { type Size, steps } from './dataset/statements.ts';
import { TEXTS } from './dataset/texts.ts';

/**
 * A big organisation of three years for measurements: set-based, seeded, about a minute for 100,000 purposes.
 *
 * Per 100,000 purposes: 120,000 purchases (none, one or two each, with the flows of contract 5.4), 200,000 costs,
 * 1.3 million stages (three in four complete, with values and notes), 200,000 contents, 200,000 status changes, 50,000
 * file rows (no objects in the store), 25 hierarchy nodes, 20 suppliers, 7 service types of 5 services.
 * It leaves out what no screen reads: principals, the audit trail.
 *
 * The triggers are quiet meanwhile, so the derived columns are computed here, by the same rules. A migration that adds
 * a derived column adds it to the statements, too; `dataset.test.ts` compares.
 */

export interface DatasetOptions {
  readonly purposes?: number;
  readonly seed?: number;
  /** The newest purposes are of this moment. Default: now. */
  readonly until?: Date;
  readonly log?: (line: string) => void;
}

export type DatasetCounts = Readonly<Record<(typeof FILLED)[number], number>>;

/** Texts to search for; the numbers hold for 100,000 purposes. */
export const SEARCHES = {
  /** About 50 purposes. */
  selective: `${TEXTS.birds[12]} ${TEXTS.colours[11]}`,
  /** About 1,250. */
  medium: TEXTS.birds[12],
  /** About 3,700. */
  broad: 'רישיונות תוכנה',
} as const;

const FILLED = [
  'purpose',
  'purpose_content',
  'purpose_status_history',
  'purchase',
  'cost',
  'stage',
  'file_attachment',
  'purpose_file_attachment',
] as const;

/** Fills a migrated database that has reference data and no purposes. The role must be a superuser. */
export async function buildDataset(
  connectionString: string,
  options: DatasetOptions = {},
): Promise<DatasetCounts> {
  const { purposes = 100_000, seed = 1, until = new Date(), log = () => undefined } = options;
  const client = new pg.Client({ connectionString, application_name: 'calculaud dataset' });
  await client.connect();
  try {
    await refuseOthers(client);
    // No trigger, no foreign key check; sorts and index builds in memory.
    await client.query(`set session_replication_role = replica; set work_mem = '256MB';
      set maintenance_work_mem = '512MB'; set jit = off; set timezone = 'UTC'`);
    await client.query('begin');
    await addOrganisation(client);
    await withoutIndexes(client, log, () => fill(client, { purposes, seed, until }, log));
    await advanceSequences(client);
    await client.query('delete from purpose_count');
    await client.query('insert into purpose_count (change) select count(*) from purpose');
    await client.query('commit');
    await timed(log, 'analytics', () => client.query('select rebuild_analytics()'));
    await client.query('vacuum analyze');
    return await count(client);
  } finally {
    await client.end();
  }
}

async function refuseOthers(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ used: boolean; referenced: boolean }>(
    'select exists (select from purpose) as used, exists (select from predefined_flow_stage) as referenced',
  );
  if (rows[0]?.used !== false) throw new Error('The data set needs a database without purposes.');
  if (!rows[0].referenced) throw new Error('The data set needs the reference data of a migrated database.');
}

async function addOrganisation(client: pg.Client): Promise<void> {
  await client.query(
    `insert into hierarchy (id, parent_id, type, name, path)
     with recursive node as (
       select * from json_to_recordset($1) as t (id integer, parent_id integer, type hierarchy_type, name text)
     ), placed as (
       select *, name as path from node where parent_id is null
       union all
       select node.*, placed.path || ' / ' || node.name from node join placed on placed.id = node.parent_id
     )
     select id, parent_id, type, name, path from placed where not exists (select from hierarchy) order by id`,
    [JSON.stringify(HIERARCHY.map(([id, parent_id, type, name]) => ({ id, parent_id, type, name })))],
  );
  await client.query(
    `insert into supplier (name)
     select name from unnest($1::text[]) with ordinality t (name, n) where not exists (select from supplier) order by n`,
    [SUPPLIERS],
  );
  await client.query(
    `insert into service_type (name)
     select name from unnest($1::text[]) with ordinality t (name, n) where not exists (select from service_type)
     order by n`,
    [Object.keys(SERVICES)],
  );
  await client.query(
    `insert into service (name, service_type_id)
     select service.name, t.id
     from unnest($1::text[], $2::text[]) with ordinality service (type, name, n)
     join service_type t on t.name = service.type
     where not exists (select from service) order by n`,
    [
      Object.entries(SERVICES).flatMap(([type, names]) => names.map(() => type)),
      Object.values(SERVICES).flat(),
    ],
  );
  await client.query(
    `insert into stage_type (name, display_name, is_optional) values ('custom', 'Custom', true) on conflict do nothing`,
  );
}

/** Indexes are built once at the end: several times faster than row by row. */
async function withoutIndexes(
  client: pg.Client,
  log: (line: string) => void,
  work: () => Promise<void>,
): Promise<void> {
  const { rows: indexes } = await client.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
     from pg_index i
     where i.indrelid = any($1::regclass[])
       and not exists (select from pg_constraint c where c.conindid = i.indexrelid)`,
    [FILLED],
  );
  for (const { name } of indexes) await client.query(`drop index ${name}`);
  await work();
  for (const { name, definition } of indexes) {
    await timed(log, `index ${name}`, () => client.query(definition));
  }
}

async function fill(client: pg.Client, size: Size, log: (line: string) => void): Promise<void> {
  for (const { title, text, values } of steps(size)) {
    await timed(log, title, () => client.query(text, values ? [...values] : []));
    const table = /^create temp table (\w+)/.exec(text)?.[1];
    if (table) await client.query(`analyze ${table}`);
  }
}

async function advanceSequences(client: pg.Client): Promise<void> {
  await client.query(
    `select setval(sequence, coalesce(last, 1), last is not null)
     from (select pg_get_serial_sequence(name, 'id') as sequence,
         (xpath('//m/text()', query_to_xml(format('select max(id) as m from %I', name), false, true, '')))[1]::text::bigint
           as last
       from unnest($1::text[]) name) filled`,
    [[...FILLED.filter((name) => name !== 'purpose_file_attachment'), 'hierarchy']],
  );
}

async function count(client: pg.Client): Promise<DatasetCounts> {
  const { rows } = await client.query<Record<(typeof FILLED)[number], number>>(
    `select ${FILLED.map((table) => `(select count(*)::integer from ${table}) as ${table}`).join(', ')}`,
  );
  if (!rows[0]) throw new Error('The database counted nothing.');
  return rows[0];
}

async function timed(
  log: (line: string) => void,
  title: string,
  work: () => Promise<unknown>,
): Promise<void> {
  const start = performance.now();
  await work();
  log(`${title}: ${Math.round(performance.now() - start)} ms`);
}
