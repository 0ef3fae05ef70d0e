import pg from 'pg';

/** What the requests are about: chosen from the data by a rule, so that every size of database has them. */
export interface Subjects {
  /** For each filter by a value: the one that as many purposes have as have the middle one of all values. */
  readonly filters: Readonly<Record<string, string>>;
  /** Days of the last month that has purposes. */
  readonly month: { readonly start: string; readonly end: string };
  readonly purposeIds: readonly number[];
  /** Stages whose turn it is, of different purchases. */
  readonly pendingStageIds: readonly number[];
}

const sources: Readonly<Record<string, string>> = {
  hierarchy_id: 'select hierarchy_id from purpose',
  status: 'select status from purpose',
  supplier_id: 'select supplier_id from purpose',
  service_type_id: 'select service_type_id from purpose',
  service_id: 'select service_id from purpose_content',
  pending_authority_id: 'select pending_authority_id from purpose',
  budget_source_id: 'select budget_source_id from purchase',
};

export async function chooseSubjects(connectionString: string): Promise<Subjects> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const filters: Record<string, string> = { is_flagged: 'true' };
    for (const [name, values] of Object.entries(sources)) {
      const [middle] = await column<string>(
        client,
        `select (array_agg(value order by uses, value))[(count(*) + 1) / 2]::text as value
         from (select value, count(*) as uses from (${values}) t (value) where value is not null group by value) used`,
      );
      if (middle === undefined) {
        throw new Error(`no purpose has a ${name}`);
      }
      filters[name] = middle;
    }
    const [start, end] = await column<string>(
      client,
      `select unnest(array[max(creation_time) - interval '30 days', max(creation_time)])::date::text as value from purpose`,
    );
    if (start === undefined || end === undefined) {
      throw new Error('there are no purposes');
    }
    return {
      filters,
      month: { start, end },
      // Neighbours lie on one page of the table; a hash mixes them, always in the same way.
      purposeIds: await column<number>(client, 'select id as value from purpose order by hashint4(id)'),
      pendingStageIds: await column<number>(
        client,
        `select id as value from (
           select min(s.id) as id from stage s join purchase p on p.id = s.purchase_id
           where s.completion_date is null and s.priority = p.current_priority group by s.purchase_id) first
         order by hashint4(id)`,
      ),
    };
  } finally {
    await client.end();
  }
}

async function column<Value extends string | number>(client: pg.Client, query: string): Promise<Value[]> {
  const { rows } = await client.query<{ value: Value | null }>(query);
  return rows.flatMap(({ value }) => (value === null ? [] : [value]));
}
