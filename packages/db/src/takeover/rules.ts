import type { ActualColumns } from './inspection.ts';
import { type Column, TABLE_NAMES, TABLES, type TableName } from './predecessor.ts';

/** A condition that a row of the old table `x` must not meet, because our tables refuse it. */
export interface Rule {
  readonly table: TableName;
  readonly rule: string;
  readonly reason: string;
  /** SQL over the row `x`. */
  readonly breaks: string;
  /** SQL that a person may run, after thinking about it. */
  readonly repair: string;
}

const FIRST_DAY = "'0001-01-01'";
const LAST_DAY = "'9999-12-31'";
/** Below one quadrillion a double keeps an amount to the cent. */
const TOO_MUCH = '1000000000000000';

export function rulesFor(actual: ActualColumns): readonly Rule[] {
  return [
    ...TABLE_NAMES.flatMap((table) => [
      ...Object.entries(TABLES[table].columns).flatMap(([name, column]) =>
        columnRules(table, name, column, actual.get(table)?.get(name)?.required ?? false),
      ),
      ...[TABLES[table].key, ...TABLES[table].unique].map((columns) => onlyOnce(table, columns)),
    ]),
    ...TREE,
  ];
}

function columnRules(table: TableName, name: string, column: Column, neverNull: boolean): Rule[] {
  const value = `x.${name}`;
  const rules: Rule[] = [];
  const refuse = (rule: string, reason: string, breaks: string, repair: string): void => {
    rules.push({
      table,
      rule,
      reason: `${name} ${reason}`,
      breaks,
      repair: repairing(table, repair, breaks),
    });
  };
  if (column.required && !neverNull) {
    refuse('missing', 'is empty, and must not be', `${value} is null`, `set ${name} = …`);
  }
  if (column.references !== undefined) {
    const breaks = `${value} is not null and not exists (select from ${column.references} y where y.id = ${value})`;
    const reason = `names a row of ${column.references} that does not exist`;
    refuse('dangling', reason, breaks, column.required ? 'delete' : `set ${name} = null`);
  }
  if (column.limit !== undefined) {
    const breaks = `char_length(${value}) > ${column.limit}`;
    refuse(
      'too long',
      `is longer than ${column.limit} characters`,
      breaks,
      `set ${name} = left(${name}, ${column.limit})`,
    );
  }
  if (column.least !== undefined) {
    const breaks = `${value} < ${column.least}`;
    refuse('too small', `is less than ${column.least}`, breaks, `set ${name} = ${column.least}`);
  }
  if (column.values !== undefined) {
    const breaks = `${value}::text not in (${column.values.map((known) => `'${known}'`).join(', ')})`;
    refuse(
      'unknown value',
      `is none of ${column.values.join(', ')}`,
      breaks,
      `set ${name} = '${column.values[0]}'`,
    );
  }
  if (column.kind === 'time' || column.kind === 'day') {
    const breaks = `${value}::date not between ${FIRST_DAY} and ${LAST_DAY}`;
    refuse('no date', 'is outside the years 1 to 9999', breaks, `set ${name} = …`);
  }
  if (column.kind === 'amount') {
    // As it will be: a number of few digits may be rounded up on its way to text.
    const amount = `${value}::text::numeric`;
    const finite = `${value}::text not in ('NaN', 'Infinity', '-Infinity')`;
    refuse('not a number', 'is infinite or not a number', `not (${finite})`, `set ${name} = …`);
    refuse('negative', 'is negative', `${amount} < 0 and ${finite}`, `set ${name} = …`);
    refuse(
      'too large',
      'is one quadrillion or more',
      `${amount} >= ${TOO_MUCH} and ${finite}`,
      `set ${name} = …`,
    );
  }
  return rules;
}

/** Two rows without a value are the same here: roots of the tree are siblings of each other. */
function onlyOnce(table: TableName, columns: readonly string[]): Rule {
  const { key, columns: all } = TABLES[table];
  const same = columns
    .map((name) => `y.${name} ${all[name]?.required === true ? '=' : 'is not distinct from'} x.${name}`)
    .join(' and ');
  return {
    table,
    rule: 'duplicate',
    reason: `${columns.join(' and ')} must be unique, and another row has the same`,
    breaks: `exists (select from ${table} y where ${same} and y.ctid <> x.ctid)`,
    repair: repairOfDuplicates(
      table,
      columns.find((name) => !key.includes(name) && NAMES.has(name)),
      `exists (select from ${table} y where ${same} and y.ctid < x.ctid)`,
    ),
  };
}

const NAMES: ReadonlySet<string> = new Set(['name', 'flow_name']);

function repairOfDuplicates(table: TableName, name: string | undefined, notTheFirst: string): string {
  if (table === 'file_attachment')
    return '-- Let what names the later rows name the first one, then delete the later rows.';
  return repairing(
    table,
    name === undefined ? 'delete' : `set ${name} = ${name} || ' (' || id || ')'`,
    notTheFirst,
  );
}

/** The tree of the organisation must be one, and its paths must fit. */
const ANCESTORS = `with recursive up as (
    select id as start, parent_id as at from hierarchy where parent_id <> id
    union
    select up.start, h.parent_id from up join hierarchy h on h.id = up.at where h.parent_id <> h.id
  ) select start from up where at = start`;

const PATHS = `with recursive down as (
    select id, name::text as path from hierarchy where parent_id is null
    union all
    select h.id, down.path || ' / ' || h.name from down join hierarchy h on h.parent_id = down.id
  ) select id from down where char_length(path) > 1000`;

const TREE: readonly Rule[] = [
  tree('own parent', 'parent_id names the node itself', 'x.parent_id = x.id', 'set parent_id = null'),
  tree('cycle', 'parent_id leads back to the node itself', `x.id in (${ANCESTORS})`, 'set parent_id = …'),
  tree('path too long', 'the path is longer than 1000 characters', `x.id in (${PATHS})`, 'set name = …'),
];

function tree(rule: string, reason: string, breaks: string, repair: string): Rule {
  return { table: 'hierarchy', rule, reason, breaks, repair: repairing('hierarchy', repair, breaks) };
}

function repairing(table: TableName, what: string, breaks: string): string {
  return what === 'delete'
    ? `delete from ${table} x where ${breaks};`
    : `update ${table} x ${what} where ${breaks};`;
}
