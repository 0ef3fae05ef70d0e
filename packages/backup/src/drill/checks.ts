import { createHash } from 'node:crypto';
import type pg from 'pg';
import { z } from 'zod';
import { BackupProblem } from '../repository/problem.ts';
import type { Repository } from '../repository/repository.ts';

/** What a restored database has to show. Each looks at everything, and names what is wrong. */

export interface CheckResult {
  readonly check: string;
  /** How much was looked at, in words. */
  readonly looked: string;
  readonly faults: readonly string[];
}

/** Enough to know what kind of trouble it is. */
const MOST_FAULTS = 50;

type Check = (client: pg.Client) => Promise<CheckResult>;

const named = z.object({ name: z.string() });

/** Every page of every table, and every entry of every B-tree against the row it points to. */
export const checkIntegrity: Check = async (client) => {
  await client.query('create extension if not exists amcheck');
  const faults: string[] = [];
  const relations = async (kind: string, access: string) => {
    const { rows } = await client.query(
      `select c.oid::regclass::text as name from pg_class c join pg_am a on a.oid = c.relam
       join pg_namespace n on n.oid = c.relnamespace
       where c.relkind = $1 and a.amname = $2 and n.nspname not in ('pg_toast', 'information_schema')
         and c.relpersistence = 'p' order by 1`,
      [kind, access],
    );
    return z.array(named).parse(rows);
  };
  const indexes = await relations('i', 'btree');
  for (const { name } of indexes) {
    await client
      .query('select bt_index_check($1::regclass, true)', [name])
      .catch((error: unknown) => faults.push(`index ${name}: ${wordsOf(error)}`));
  }
  const tables = await relations('r', 'heap');
  for (const { name } of tables) {
    const { rows } = await client.query(
      'select blkno, offnum, msg from verify_heapam($1::regclass, check_toast => true) limit 5',
      [name],
    );
    const found = z
      .array(z.object({ blkno: z.coerce.string(), offnum: z.number().nullable(), msg: z.string() }))
      .parse(rows);
    for (const { blkno, offnum, msg } of found)
      faults.push(`table ${name}, page ${blkno}, row ${offnum ?? '-'}: ${msg}`);
  }
  return {
    check: 'integrity',
    looked: `${indexes.length} indexes, ${tables.length} tables`,
    faults: few(faults),
  };
};

/** Every row that names another one finds it; constraints alone hold only for what was written while they were watched. */
export const checkReferences: Check = async (client) => {
  const { rows } = await client.query(`
    select conname as name, conrelid::regclass::text as child, confrelid::regclass::text as parent,
      (select string_agg(format('c.%I = p.%I', ca.attname, pa.attname), ' and ')
       from unnest(conkey, confkey) as k(child, parent)
       join pg_attribute ca on ca.attrelid = conrelid and ca.attnum = k.child
       join pg_attribute pa on pa.attrelid = confrelid and pa.attnum = k.parent) as pairs,
      (select string_agg(format('c.%I is not null', ca.attname), ' and ')
       from unnest(conkey) as k(child)
       join pg_attribute ca on ca.attrelid = conrelid and ca.attnum = k.child) as given
    from pg_constraint where contype = 'f' order by conname`);
  const keys = z
    .array(
      z.object({
        name: z.string(),
        child: z.string(),
        parent: z.string(),
        pairs: z.string(),
        given: z.string(),
      }),
    )
    .parse(rows);
  const faults: string[] = [];
  for (const { name, child, parent, pairs, given } of keys) {
    const { rows: lost } = await client.query(
      `select count(*)::int as n from ${child} c where ${given} and not exists (select from ${parent} p where ${pairs})`,
    );
    const { n } = z.object({ n: z.int() }).parse(lost[0]);
    if (n > 0) faults.push(`${n} rows of ${child} name a row of ${parent} that is not there (${name})`);
  }
  return { check: 'references', looked: `${keys.length} foreign keys`, faults: few(faults) };
};

/** Each names what breaks it. */
const RULES: Readonly<Record<string, string>> = {
  'a rule of the schema that nobody has checked': `
    select conname || ' of ' || conrelid::regclass::text as what from pg_constraint where not convalidated order by 1 limit 20`,
  'an index that cannot be used': `
    select indexrelid::regclass::text as what from pg_index where not indisvalid or not indisready order by 1 limit 20`,
  'a trigger that is switched off': `
    select tgname || ' of ' || tgrelid::regclass::text as what from pg_trigger
    where not tgisinternal and tgenabled = 'D' order by 1 limit 20`,
  'a purchase is at another level than its stages say': `
    select 'purchase ' || p.id as what from purchase p
    left join (select purchase_id, min(priority) as level from stage where completion_date is null group by purchase_id) s
      on s.purchase_id = p.id
    where p.current_priority is distinct from s.level order by p.id limit 20`,
  'a purpose waits since another day than its purchases say': `
    select 'purpose ' || o.id as what from purpose o
    left join (select purpose_id, min(waiting_since) as since from purchase group by purpose_id) p on p.purpose_id = o.id
    where o.waiting_since is distinct from p.since order by o.id limit 20`,
  'a change in the trail is dated in the future': `
    select 'audit entry ' || id as what from audit_entry where at > now() + interval '5 minutes' order by id limit 20`,
};

/** What triggers keep is what a recomputation gives; numbers that are given out next are free. */
export const checkInvariants: Check = async (client) => {
  const faults: string[] = [];
  const { rows: sequences } = await client.query(`
    select s.oid::regclass::text as sequence, t.oid::regclass::text as table, quote_ident(a.attname) as column
    from pg_class s join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i')
    join pg_class t on t.oid = d.refobjid join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
    where s.relkind = 'S' and t.relnamespace = 'public'::regnamespace order by 1`);
  const counted = z
    .array(z.object({ sequence: z.string(), table: z.string(), column: z.string() }))
    .parse(sequences);
  for (const { sequence, table, column } of counted) {
    const { rows } = await client.query(
      `select coalesce(max(${column}), 0) > (select case when is_called then last_value else last_value - 1 end from ${sequence}) as behind from ${table}`,
    );
    if (z.object({ behind: z.boolean() }).parse(rows[0]).behind)
      faults.push(`${sequence} would give out numbers that ${table} has`);
  }
  const { rows: totals } = await client.query(`
    select (select coalesce(sum(change), 0) from purpose_count) as counted,
      (select count(*) from purpose) as there`);
  const { counted: kept, there } = z
    .object({ counted: z.coerce.number(), there: z.coerce.number() })
    .parse(totals[0]);
  if (kept !== there) faults.push(`purpose_count says ${kept} purposes, and there are ${there}`);
  for (const [rule, query] of Object.entries(RULES)) {
    const { rows } = await client.query(query);
    const broken = z.array(z.object({ what: z.string() })).parse(rows);
    faults.push(...broken.map(({ what }) => `${rule}: ${what}`));
  }
  return {
    check: 'invariants',
    looked: `${counted.length} sequences, ${Object.keys(RULES).length} rules, ${there} purposes`,
    faults: few(faults),
  };
};

const file = z.object({ key: z.string(), filename: z.string(), size: z.coerce.number() });

/** Every file that a row names is in the repository, and is what it was. */
export function checkAttached(repository: Repository): Check {
  return async (client) => {
    const { rows } = await client.query(
      '/* drill.attached */ select s3_key as key, original_filename as filename, file_size as size from file_attachment order by id',
    );
    const files = z.array(file).parse(rows);
    const faults: string[] = [];
    for (const { key, filename, size } of files) {
      try {
        const object = await repository.getAttached(key);
        if (!object) faults.push(`the file ${filename} (${key}) is not in the repository`);
        else if (object.size !== size)
          faults.push(`the file ${filename} (${key}) has ${object.size} instead of ${size} bytes`);
        else if ((await hashOf(repository.getContent(object.chunks))) !== object.sha256) {
          faults.push(`the file ${filename} (${key}) is not what it was`);
        }
      } catch (error) {
        if (!(error instanceof BackupProblem) || error.kind === 'unavailable') throw error;
        faults.push(`the file ${filename} (${key}): ${error.message}`);
      }
    }
    return { check: 'files', looked: `${files.length} files`, faults: few(faults) };
  };
}

async function hashOf(content: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of content) hash.update(chunk);
  return hash.digest('hex');
}

function few(faults: readonly string[]): readonly string[] {
  if (faults.length <= MOST_FAULTS) return faults;
  return [...faults.slice(0, MOST_FAULTS), `and ${faults.length - MOST_FAULTS} more`];
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
