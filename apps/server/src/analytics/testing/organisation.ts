import type { Endpoint } from '@calculaud/contract/endpoint';
import { type TestApp, testApp } from '../../testing/app.ts';
import type { Catalogue } from './model.ts';
import { Records } from './records.ts';

export const RATE = 3.5;

/** Stage types of the reference data. */
export const EMF = 6;
export const SECURITY_REVIEW = 7;
export const LETTER = 8;
export const BOM = 9;

export type Query = Readonly<Record<string, string | number | readonly (string | number)[]>>;

/** An application in Jerusalem with service types Alpha, Beta and Gamma, each with the services `<type> one` and `two`. */
export interface Organisation {
  readonly app: TestApp;
  readonly records: Records;
  readonly catalogue: Catalogue;
  /** A stage type that nobody is responsible for. */
  readonly nobodys: number;
  readonly serviceType: (name: string) => number;
  readonly service: (name: string) => number;
  /** Inserts a row and answers its id. */
  readonly insert: (text: string, values?: readonly unknown[]) => Promise<number>;
  readonly ask: <E extends Endpoint>(
    endpoint: E,
    query?: Query,
    status?: string,
  ) => Promise<E['success'] extends { body: { _zod: { output: infer T } } } ? T : undefined>;
}

export async function openOrganisation(): Promise<Organisation> {
  const timeZone = 'Asia/Jerusalem';
  const app = await testApp({ CALCULAUD_TIMEZONE: timeZone, USD_TO_ILS_RATE: String(RATE) });
  const { pool } = app.db;

  async function insert(text: string, values: readonly unknown[] = []): Promise<number> {
    const { rows } = await pool.query<{ id: number }>(`${text} returning id`, [...values]);
    if (!rows[0]) throw new Error(`Nothing was inserted by: ${text}`);
    return rows[0].id;
  }

  const nobodys = await insert(
    `insert into stage_type (name, display_name) values ('unassigned', 'Nobody is responsible')`,
  );
  const serviceTypes = new Map<number, string>();
  const services = new Map<number, { name: string; type: number }>();
  // Not in the order of the alphabet, so that an order by name is not that of the ids.
  for (const name of ['Gamma', 'Alpha', 'Beta']) {
    const type = await insert('insert into service_type (name) values ($1)', [name]);
    serviceTypes.set(type, name);
    for (const nth of ['two', 'one']) {
      const service = `${name} ${nth}`;
      const id = await insert('insert into service (name, service_type_id) values ($1, $2)', [service, type]);
      services.set(id, { name: service, type });
    }
  }

  async function names(table: string): Promise<Map<number, string>> {
    const { rows } = await pool.query<{ id: number; name: string }>(`select id, name from ${table}`);
    return new Map(rows.map(({ id, name }) => [id, name]));
  }
  const stageTypes = await pool.query<{
    id: number;
    name: string;
    display: string;
    authority: number | null;
  }>('select id, name, display_name as display, responsible_authority_id as authority from stage_type');

  return {
    app,
    records: new Records(pool),
    catalogue: {
      serviceTypes,
      services,
      stageTypes: new Map(stageTypes.rows.map(({ id, ...type }) => [id, type])),
      authorities: await names('responsible_authority'),
      budgetSources: await names('budget_source'),
      timeZone,
      rate: RATE,
    },
    nobodys,
    serviceType: (name) => idOf(serviceTypes, (is) => is === name),
    service: (name) => idOf(services, (is) => is.name === name),
    insert,
    ask: async (endpoint, query = {}, status = '') => {
      const parameters = new URLSearchParams();
      for (const [name, values] of Object.entries(query)) {
        for (const value of [values].flat()) parameters.append(name, String(value));
      }
      const path = endpoint.path.replace('{status}', status);
      return (await app.get(`${path}?${parameters.toString()}`, { role: 'user' })).as(endpoint);
    },
  };
}

function idOf<T>(rows: ReadonlyMap<number, T>, isWanted: (row: T) => boolean): number {
  for (const [id, row] of rows) if (isWanted(row)) return id;
  throw new Error('There is no such row');
}
