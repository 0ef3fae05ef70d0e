/** The tables of the predecessor at its newest revision; our first migration makes them again under the same names. */
export const TABLE_NAMES = [
  'hierarchy',
  'file_attachment',
  'supplier',
  'service_type',
  'service',
  'budget_source',
  'responsible_authority',
  'stage_type',
  'predefined_flow',
  'predefined_flow_stage',
  'purpose',
  'purpose_content',
  'purpose_status_history',
  'purchase',
  'cost',
  'stage',
  'purpose_file_attachment',
] as const;

export type TableName = (typeof TABLE_NAMES)[number];

export interface Column {
  readonly kind: 'whole' | 'flag' | 'text' | 'time' | 'day' | 'amount' | 'choice';
  /** Our tables demand a value. */
  readonly required: boolean;
  /** The longest text that our tables take. */
  readonly limit?: number;
  /** The least number that our tables take. */
  readonly least?: number;
  /** The table whose id it names. */
  readonly references?: TableName;
  readonly values?: readonly string[];
  /** The enum of ours that a choice becomes; without one it stays a text. */
  readonly becomes?: string;
}

export interface Table {
  readonly columns: Readonly<Record<string, Column>>;
  readonly key: readonly string[];
  /** Further groups of columns whose values may occur only once. */
  readonly unique: readonly (readonly string[])[];
}

const whole: Column = { kind: 'whole', required: true };
const atLeast = (least: number): Column => ({ kind: 'whole', required: true, least });
const to = (references: TableName): Column => ({ kind: 'whole', required: true, references });
const flag: Column = { kind: 'flag', required: true };
const time: Column = { kind: 'time', required: true };
const day: Column = { kind: 'day', required: true };
const longText: Column = { kind: 'text', required: true };
const text = (limit: number): Column => ({ kind: 'text', required: true, limit });
const choice = (values: readonly string[], becomes?: string): Column => ({
  kind: 'choice',
  required: true,
  values,
  ...(becomes !== undefined && { becomes }),
});
const optional = (column: Column): Column => ({ ...column, required: false });

const status = choice(['IN_PROGRESS', 'COMPLETED', 'SIGNED', 'PARTIALLY_SUPPLIED'], 'purpose_status');
const nodeType = choice(['UNIT', 'CENTER', 'ANAF', 'MADOR', 'TEAM'], 'hierarchy_type');
const currency = choice(['SUPPORT_USD', 'AVAILABLE_USD', 'ILS']);

const table = (columns: Table['columns'], ...unique: string[][]): Table => ({
  columns: { id: whole, ...columns },
  key: ['id'],
  unique,
});

export const TABLES: Readonly<Record<TableName, Table>> = {
  hierarchy: table(
    { parent_id: optional(to('hierarchy')), type: nodeType, name: text(255), path: text(1000) },
    ['parent_id', 'name'],
  ),
  file_attachment: table(
    {
      original_filename: text(255),
      s3_key: text(500),
      mime_type: text(100),
      file_size: atLeast(0),
      uploaded_at: time,
    },
    ['s3_key'],
  ),
  supplier: table({ name: text(100), file_icon_id: optional(to('file_attachment')) }, ['name']),
  service_type: table({ name: text(255) }, ['name']),
  service: table({ name: text(255), service_type_id: to('service_type') }, ['name', 'service_type_id']),
  budget_source: table({ name: text(255) }, ['name']),
  responsible_authority: table({ name: text(255), description: optional(longText), created_at: time }, [
    'name',
  ]),
  stage_type: table(
    {
      name: text(255),
      display_name: text(255),
      description: optional(longText),
      value_required: flag,
      is_optional: flag,
      responsible_authority_id: optional(to('responsible_authority')),
      created_at: time,
    },
    ['name'],
  ),
  predefined_flow: table({ flow_name: text(255), created_at: time }, ['flow_name']),
  predefined_flow_stage: table({
    predefined_flow_id: to('predefined_flow'),
    stage_type_id: to('stage_type'),
    priority: atLeast(1),
  }),
  purpose: table({
    description: optional(text(2000)),
    creation_time: time,
    status,
    comments: optional(text(1000)),
    last_modified: time,
    expected_delivery: optional(day),
    hierarchy_id: optional(to('hierarchy')),
    supplier_id: optional(to('supplier')),
    service_type_id: optional(to('service_type')),
    is_flagged: flag,
  }),
  purpose_content: table({ purpose_id: to('purpose'), service_id: to('service'), quantity: atLeast(1) }, [
    'purpose_id',
    'service_id',
  ]),
  purpose_status_history: table({
    purpose_id: to('purpose'),
    previous_status: optional(status),
    new_status: status,
    changed_at: time,
    changed_by: optional(text(255)),
  }),
  purchase: table({
    purpose_id: to('purpose'),
    predefined_flow_id: optional(to('predefined_flow')),
    budget_source_id: optional(to('budget_source')),
    creation_date: time,
  }),
  cost: table({ purchase_id: to('purchase'), currency, amount: { kind: 'amount', required: true } }),
  stage: table({
    stage_type_id: to('stage_type'),
    purchase_id: to('purchase'),
    priority: atLeast(1),
    value: optional(longText),
    completion_date: optional(day),
    note: optional(longText),
    custom_name: optional(text(255)),
  }),
  purpose_file_attachment: {
    columns: { purpose_id: to('purpose'), file_attachment_id: to('file_attachment') },
    key: ['purpose_id', 'file_attachment_id'],
    unique: [],
  },
};

/** The predecessor's own ledger of migrations; after the takeover it is kept under the second name. */
export const LEDGER_KEPT_AS = 'predecessor_alembic_version';
