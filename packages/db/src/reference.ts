import { createHash } from 'node:crypto';
import type pg from 'pg';
import { ORIGIN, readLedger, writeLedger } from './ledger.ts';

interface ReferenceTable {
  readonly table: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const IT = 1;
const FINANCE = 2;
const SECURITY = 3;

/** Code of clients depends on the names emf_id, bikushit_id, demand_id and order_id, and on these ids. */
const STAGE_TYPES = [
  stageType(6, 'emf_id', 'EMF ID', true, IT),
  stageType(7, 'information_security', 'במ', false, SECURITY),
  stageType(8, 'letter_of_necessity', 'מכתב נחיצות', false, FINANCE),
  stageType(9, 'bom', 'BOM', false, IT),
  stageType(10, 'bikushit_id', 'מספר ביקושית', true, FINANCE),
  stageType(11, 'demand_id', 'מספר דרישה', true, FINANCE),
  stageType(12, 'mnhr', 'מנהר', false, FINANCE),
  stageType(13, 'Committees', 'ועדות', false, FINANCE),
  stageType(14, 'blm', 'בלמ', false, FINANCE),
  stageType(15, 'exemption_committee', 'ועדת פטור', false, FINANCE),
  stageType(16, 'mission', 'משלחת', false, FINANCE),
  stageType(17, 'financing_deployment', 'פריסת מימון', false, FINANCE),
  stageType(18, 'order_id', 'מספר הזמנה', true, IT),
];

/** Every flow opens with these five steps; the second is three stages in parallel. */
const OPENING = [
  'emf_id',
  ['information_security', 'letter_of_necessity', 'bom'],
  'bikushit_id',
  'information_security',
  'demand_id',
];
const AVAILABLE_USD = [...OPENING, 'exemption_committee', 'mission', 'blm', 'order_id'];
const FLOWS = [
  { flow_name: 'ILS_FLOW', steps: [...OPENING, 'mnhr', 'Committees', 'blm', 'order_id'] },
  { flow_name: 'SUPPORT_USD_FLOW', steps: [...OPENING, 'mission', 'blm', 'order_id'] },
  { flow_name: 'AVAILABLE_USD_FLOW', steps: AVAILABLE_USD },
  { flow_name: 'MIXED_USD_FLOW', steps: AVAILABLE_USD },
  {
    flow_name: 'SUPPORT_USD_ABOVE_400K_FLOW',
    steps: [...OPENING, 'mnhr', 'financing_deployment', 'mission', 'blm', 'order_id'],
  },
  {
    flow_name: 'MIXED_USD_ABOVE_400K_FLOW',
    steps: [...OPENING, 'exemption_committee', 'mnhr', 'financing_deployment', 'mission', 'blm', 'order_id'],
  },
];

/**
 * What every installation starts with, in the order of its foreign keys. All these tables are the predecessor's, so that a
 * database that is taken over has its own rows; what the tables of later migrations start with stands in those.
 */
const REFERENCE: readonly ReferenceTable[] = [
  {
    table: 'responsible_authority',
    rows: [
      { id: IT, name: 'IT Department', description: 'Technical approval' },
      { id: FINANCE, name: 'Finance Team', description: 'Budget and cost approval' },
      { id: SECURITY, name: 'Security Office', description: 'Information security review' },
    ],
  },
  {
    table: 'budget_source',
    rows: [
      'IT Operations Budget',
      'Capital Expenditure Fund',
      'Research & Development',
      'Infrastructure Modernization',
    ].map((name, index) => ({ id: index + 1, name })),
  },
  { table: 'stage_type', rows: STAGE_TYPES },
  {
    table: 'predefined_flow',
    rows: FLOWS.map(({ flow_name }, index) => ({ id: index + 1, flow_name })),
  },
  {
    table: 'predefined_flow_stage',
    rows: FLOWS.flatMap(({ steps }, flow) =>
      steps.flatMap((step, level) =>
        [step].flat().map((name) => ({
          predefined_flow_id: flow + 1,
          stage_type_id: STAGE_TYPES.find((type) => type.name === name)?.id,
          priority: level + 1,
        })),
      ),
    ).map((row, index) => ({ id: index + 1, ...row })),
  },
];

/** Once in the life of a database, in the caller's transaction: writes the rows that every installation starts with. */
export async function writeReferenceData(client: pg.ClientBase, appVersion: string | null): Promise<void> {
  const ledger = (await readLedger(client)) ?? [];
  if (ledger.some(({ number }) => number === ORIGIN)) return;
  const start = performance.now();
  for (const reference of REFERENCE) await fill(client, reference);
  await writeLedger(client, {
    number: ORIGIN,
    name: 'reference data',
    checksum: createHash('sha256').update(JSON.stringify(REFERENCE)).digest('hex'),
    duration_ms: Math.round(performance.now() - start),
    breaking: false,
    app_version: appVersion,
  });
}

async function fill(client: pg.ClientBase, { table, rows }: ReferenceTable): Promise<void> {
  const columns = Object.keys(rows[0] ?? {}).join(', ');
  await client.query(
    `insert into ${table} (${columns})
     select ${columns} from json_populate_recordset(null::${table}, $1)
     where not exists (select from ${table})`,
    [JSON.stringify(rows)],
  );
  if (rows[0]?.['id'] === undefined) return;
  await client.query(
    `select setval(pg_get_serial_sequence('${table}', 'id'), greatest(max(id), 1)) from ${table} having max(id) is not null`,
  );
}

function stageType(
  id: number,
  name: string,
  display_name: string,
  value_required: boolean,
  authority: number,
) {
  return { id, name, display_name, value_required, is_optional: false, responsible_authority_id: authority };
}
