import type pg from 'pg';
import { z } from 'zod';
import { quoted } from './tables.ts';

const statements = z.array(z.object({ away: z.string(), back: z.string() }));

/** In this order they go; in the opposite one they come back. */
const PARTS = [
  // Those of other tables, too, which refer to these. Made anew they are checked for all rows at once.
  `select format('alter table %s drop constraint %I', conrelid::regclass, conname) as away,
     format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) as back
   from pg_constraint
   where contype = 'f' and conparentid = 0 and (conrelid = any($1::regclass[]) or confrelid = any($1::regclass[]))
   order by conrelid::regclass::text, conname`,
  // Built over all rows instead of row by row.
  `select format('drop index %s', indexrelid::regclass) as away, pg_get_indexdef(indexrelid) as back
   from pg_index i
   where indrelid = any($1::regclass[]) and not exists (select from pg_constraint n where n.conindid = i.indexrelid)
   order by indrelid::regclass::text, indexrelid::regclass::text`,
  // What they derive comes along, and what they record has happened already.
  `select format('alter table %s disable trigger %I', tgrelid::regclass, tgname) as away,
     format('alter table %s enable trigger %I', tgrelid::regclass, tgname) as back
   from pg_trigger
   where tgrelid = any($1::regclass[]) and not tgisinternal and tgenabled = 'O'
   order by tgrelid::regclass::text, tgname`,
];

/**
 * Runs the work, in the caller's transaction, while the tables have neither foreign keys nor triggers, nor more indexes than
 * their keys need. An owner may do this; to switch the checks of foreign keys off instead takes a superuser.
 */
export async function withoutChecks(
  client: pg.ClientBase,
  tables: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const all: z.output<typeof statements> = [];
  for (const part of PARTS) {
    const { rows } = await client.query(`/* logical.aside */ ${part}`, [tables.map(quoted)]);
    const found = statements.parse(rows);
    for (const { away } of found) await client.query(away);
    all.push(...found);
  }
  await work();
  // What is deferred is checked here and not at the end: tables with checks to come cannot be altered.
  await client.query('set constraints all immediate');
  for (const { back } of all.toReversed()) await client.query(back);
}
