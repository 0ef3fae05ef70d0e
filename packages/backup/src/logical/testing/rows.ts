import type { Pool } from 'pg';

/** What COPY, tar, gzip or a terminal could trip over. */
export const HOSTILE = [
  'tab\there',
  'line\nbreak\r\nand return',
  'back\\slash \\N \\. \\t',
  '\\N',
  '\\.',
  '',
  ' ',
  '"quoted", \'twice\'',
  'مناقصة توريد أجهزة',
  'מכתב נחיצות \u200F',
  '👩🏽‍💻 \u{1F6D2}',
  '\u0001\u001b[31m',
  'x'.repeat(1900),
];

/** A small system with history: rows in tables of every kind, deleted ones included, written as the application does. */
export async function enterRows(pool: Pool): Promise<void> {
  await pool.query(`
    insert into principal (kind, subject, name) values ('person', 'somebody', 'Some Body');
    insert into supplier (name) select 'Supplier ' || n from generate_series(1, 20) n;
    insert into service_type (name) values ('Hardware'), ('Software');
    insert into service (name, service_type_id) select 'Service ' || n, 1 + n % 2 from generate_series(1, 10) n;
    insert into hierarchy (parent_id, type, name) values (null, 'UNIT', 'Unit');
    insert into hierarchy (parent_id, type, name) select max(id), 'CENTER', 'Center' from hierarchy;
    insert into object_removal (s3_key, due_at) values ('ä/key', 'infinity'), ('Z', '0044-03-15 12:00 BC');
    insert into idempotency_key (principal_id, key, request_hash, body) select id, 'key', 'hash', '{"a": "\\n"}' from principal`);
  for (const text of HOSTILE) {
    await pool.query('insert into purpose (description, comments, supplier_id) values ($1, $2, 1)', [
      text,
      text.slice(0, 900),
    ]);
  }
  await pool.query(`
    insert into purchase (purpose_id, creation_date) select id, now() - interval '1 day' from purpose;
    insert into cost (purchase_id, currency, amount) select id, 'ILS', 1234567.8901234567890 from purchase;
    insert into stage (stage_type_id, purchase_id, priority, value) select 6, id, 1, 'value' from purchase;
    insert into stage (stage_type_id, purchase_id, priority) select 18, id, 2 from purchase;
    update stage set completion_date = current_date where priority = 1;
    update purpose set status = 'COMPLETED' where id % 3 = 0;
    delete from purpose where id = 5`);
}
