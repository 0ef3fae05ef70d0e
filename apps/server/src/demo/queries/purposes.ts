import { sql } from 'kysely';
import type { Executor } from '@calculaud/db/database';

/** Rows as the demonstration makes them. Times are those of the organisation's wall clock, days are its days. */

interface PurposeRow {
  readonly id: number;
  readonly description: string;
  readonly created: string;
  readonly status: string;
  readonly status_changed: string;
  readonly comments: string | null;
  readonly modified: string;
  readonly expected_delivery: string | null;
  readonly hierarchy_id: number;
  readonly supplier_id: number | null;
  readonly service_type_id: number;
  readonly is_flagged: boolean;
  readonly auto_flagged: string | null;
  readonly auto_flag_reason: object | null;
  readonly created_by: number;
  readonly updated_by: number;
}

interface StatusRow {
  readonly purpose_id: number;
  readonly previous: string | null;
  readonly status: string;
  readonly changed: string;
  readonly changed_by: number;
}

interface ContentRow {
  readonly purpose_id: number;
  readonly service_id: number;
  readonly quantity: number;
  readonly created: string;
  readonly created_by: number;
}

interface PurchaseRow {
  readonly id: number;
  readonly purpose_id: number;
  readonly flow_id: number | null;
  readonly budget_source_id: number | null;
  readonly created: string;
  readonly created_by: number;
}

interface CostRow {
  readonly purchase_id: number;
  readonly currency: string;
  readonly amount: string;
  readonly created: string;
  readonly created_by: number;
}

interface DecisionRow {
  readonly purchase_id: number;
  readonly rule_id: number | null;
  readonly rule_name: string | null;
  readonly flow_id: number | null;
  readonly flow_name: string | null;
  readonly reason: string;
  readonly facts: object;
  readonly decided: string;
  readonly decided_by: number;
}

interface StageRow {
  readonly purchase_id: number;
  readonly stage_type_id: number;
  readonly priority: number;
  readonly value: string | null;
  readonly completion_date: string | null;
  /** The triggers would find it, too, but by writing each stage a second time. */
  readonly previous_completion_date: string | null;
  readonly note: string | null;
  readonly custom_name: string | null;
  readonly ready: string | null;
  readonly started: string | null;
  readonly started_by: number | null;
  readonly done: string | null;
  readonly done_by: number | null;
  readonly created: string;
  readonly created_by: number;
  readonly updated: string;
  readonly updated_by: number;
}

interface FileRow {
  readonly purpose_id: number;
  readonly original_filename: string;
  readonly s3_key: string;
  readonly mime_type: string;
  readonly file_size: number;
  readonly uploaded: string;
  readonly created_by: number;
}

export interface DemoRows {
  readonly purposes: readonly PurposeRow[];
  readonly statuses: readonly StatusRow[];
  readonly contents: readonly ContentRow[];
  readonly purchases: readonly PurchaseRow[];
  readonly costs: readonly CostRow[];
  readonly decisions: readonly DecisionRow[];
  readonly stages: readonly StageRow[];
  readonly files: readonly FileRow[];
}

/** As many ids as asked for, ascending. */
export async function reserveIds(
  tx: Executor,
  table: 'hierarchy' | 'purpose' | 'purchase',
  count: number,
): Promise<readonly number[]> {
  const { rows } = await sql<{ ids: number[] }>`/* demo.reserve-ids */
    select array(
      select nextval(pg_get_serial_sequence(${table}, 'id'))::integer from generate_series(1, ${count}::integer)
    ) as ids`.execute(tx);
  return rows[0]?.ids ?? [];
}

/** All of it, a statement a table. What follows from the rows is left to the triggers. */
export async function insertRows(tx: Executor, rows: DemoRows, timeZone: string): Promise<void> {
  const at = (column: string) => sql`${sql.ref(column)} at time zone ${timeZone}`;

  await sql`/* demo.insert-purposes */
    insert into purpose (id, description, creation_time, status, current_status_changed_at, comments,
      expected_delivery, hierarchy_id, supplier_id, service_type_id, is_flagged, auto_flagged_at, auto_flag_reason,
      created_by, updated_by)
    select id, description, ${at('created')}, status, ${at('status_changed')}, comments,
      expected_delivery, hierarchy_id, supplier_id, service_type_id, is_flagged, ${at('auto_flagged')}, auto_flag_reason,
      created_by, updated_by
    from json_to_recordset(${JSON.stringify(rows.purposes)}::json) as given (id integer, description text,
      created timestamp, status purpose_status, status_changed timestamp, comments text,
      expected_delivery date, hierarchy_id integer, supplier_id integer, service_type_id integer, is_flagged boolean,
      auto_flagged timestamp, auto_flag_reason jsonb, created_by integer, updated_by integer)
    order by id`.execute(tx);

  // The insert has left one row of the present status each; what really happened takes its place.
  await sql`/* demo.forget-statuses */
    delete from purpose_status_history where purpose_id = any(${rows.purposes.map(({ id }) => id)}::integer[])`.execute(
    tx,
  );
  await sql`/* demo.insert-statuses */
    insert into purpose_status_history (purpose_id, previous_status, new_status, changed_at, changed_by, changed_by_id)
    select given.purpose_id, given.previous, given.status, ${at('changed')}, left(principal.name, 255), given.changed_by
    from json_to_recordset(${JSON.stringify(rows.statuses)}::json) as given (purpose_id integer,
      previous purpose_status, status purpose_status, changed timestamp, changed_by integer)
    join principal on principal.id = given.changed_by
    order by given.purpose_id, given.changed`.execute(tx);

  await sql`/* demo.insert-contents */
    insert into purpose_content (purpose_id, service_id, quantity, created_at, created_by)
    select purpose_id, service_id, quantity, ${at('created')}, created_by
    from json_to_recordset(${JSON.stringify(rows.contents)}::json) as given (purpose_id integer, service_id integer,
      quantity integer, created timestamp, created_by integer)`.execute(tx);

  await sql`/* demo.insert-purchases */
    insert into purchase (id, purpose_id, predefined_flow_id, budget_source_id, creation_date, created_by)
    select id, purpose_id, flow_id, budget_source_id, ${at('created')}, created_by
    from json_to_recordset(${JSON.stringify(rows.purchases)}::json) as given (id integer, purpose_id integer,
      flow_id integer, budget_source_id integer, created timestamp, created_by integer)
    order by id`.execute(tx);

  await sql`/* demo.insert-costs */
    insert into cost (purchase_id, currency, amount, created_at, created_by)
    select purchase_id, currency, amount, ${at('created')}, created_by
    from json_to_recordset(${JSON.stringify(rows.costs)}::json) as given (purchase_id integer, currency text,
      amount numeric, created timestamp, created_by integer)`.execute(tx);

  await sql`/* demo.insert-decisions */
    insert into flow_decision (purchase_id, rule_id, rule_name, flow_id, flow_name, reason, facts, decided_at, decided_by)
    select purchase_id, rule_id, rule_name, flow_id, flow_name, reason, facts, ${at('decided')}, decided_by
    from json_to_recordset(${JSON.stringify(rows.decisions)}::json) as given (purchase_id integer, rule_id integer,
      rule_name text, flow_id integer, flow_name text, reason text, facts jsonb, decided timestamp, decided_by integer)`.execute(
    tx,
  );

  await sql`/* demo.insert-stages */
    insert into stage (purchase_id, stage_type_id, priority, value, completion_date, previous_completion_date, note,
      custom_name, ready_at, started_at, started_by, done_at, done_by, created_at, created_by, updated_at, updated_by)
    select purchase_id, stage_type_id, priority, value, completion_date, previous_completion_date, note,
      custom_name, ${at('ready')}, ${at('started')}, started_by, ${at('done')}, done_by, ${at('created')}, created_by, ${at('updated')}, updated_by
    from json_to_recordset(${JSON.stringify(rows.stages)}::json) as given (purchase_id integer, stage_type_id integer,
      priority integer, value text, completion_date date, previous_completion_date date, note text, custom_name text,
      ready timestamp, started timestamp, started_by integer, done timestamp, done_by integer, created timestamp, created_by integer,
      updated timestamp, updated_by integer)`.execute(tx);

  await insertFiles(tx, rows.files, timeZone);

  // What was added to the purposes since has touched them.
  await sql`/* demo.date-purposes */
    update purpose set last_modified = ${at('given.modified')}
    from json_to_recordset(${JSON.stringify(rows.purposes)}::json) as given (id integer, modified timestamp)
    where purpose.id = given.id`.execute(tx);
}

async function insertFiles(tx: Executor, files: readonly FileRow[], timeZone: string): Promise<void> {
  const { numAffectedRows } = await sql`/* demo.keep-objects */
    delete from object_removal where s3_key = any(${files.map(({ s3_key }) => s3_key)}::text[])
      and due_at > now() + interval '1 hour'`.execute(tx);
  if (numAffectedRows !== BigInt(files.length)) {
    throw new Error('The contents of the demonstration are being removed already: it took more than a day.');
  }
  await sql`/* demo.insert-files */
    with made as materialized (
      select nextval(pg_get_serial_sequence('file_attachment', 'id'))::integer as id, given.*
      from json_to_recordset(${JSON.stringify(files)}::json) as given (purpose_id integer, original_filename text,
        s3_key text, mime_type text, file_size integer, uploaded timestamp, created_by integer)
    ), added as (
      insert into file_attachment (id, original_filename, s3_key, mime_type, file_size, uploaded_at, created_by)
      select id, original_filename, s3_key, mime_type, file_size, uploaded at time zone ${timeZone}, created_by from made
    )
    insert into purpose_file_attachment (purpose_id, file_attachment_id) select purpose_id, id from made`.execute(
    tx,
  );
}
