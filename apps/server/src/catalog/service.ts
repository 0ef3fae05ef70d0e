import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { fileLinks } from '../files/service.ts';
import { translateConstraints, translateStillReferenced } from '../platform/constraints.ts';
import { actor, type RequestContext } from '../platform/context.ts';
import { counted } from '../platform/counted.ts';
import { envelope, pageOf } from '../platform/paging.ts';
import { inUse, notFound, Problem, unknownReference } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import type { Catalogue } from './catalogues.ts';
import * as queries from './queries.ts';

interface ListQuery extends queries.RecordFilters {
  readonly page: number;
  readonly limit?: number | undefined;
}

/** The members of a body; one that is undefined was not sent, and is no change. */
type Members = Readonly<Record<string, queries.ColumnValues[string] | undefined>>;

export async function listRecords(
  services: Services,
  context: RequestContext,
  { table }: Catalogue,
  query: ListQuery,
): Promise<Buffer> {
  const page = pageOf(query, services.config.paging);
  const links = () => fileLinks(services, context);
  const { items, total } = await queries.listRecords(services.db, table, query, page, links);
  return envelope(items, total, page);
}

export async function getRecord(
  services: Services,
  context: RequestContext,
  catalogue: Catalogue,
  id: number,
  db: Executor = services.db,
): Promise<string> {
  const json = await queries.getRecord(db, catalogue.table, id, () => fileLinks(services, context));
  if (json === undefined) {
    throw notFound(catalogue.title, id);
  }
  return json;
}

export async function createRecord(
  services: Services,
  context: RequestContext,
  catalogue: Catalogue,
  members: Members,
): Promise<string> {
  const values = present(members);
  return translateConstraints(constraintsOf(catalogue, values), () =>
    transaction(services.db, actor(context), async (tx) => {
      const id = await queries.insertRecord(tx, catalogue.table, values);
      return getRecord(services, context, catalogue, id, tx);
    }),
  );
}

export async function updateRecord(
  services: Services,
  context: RequestContext,
  catalogue: Catalogue,
  id: number,
  members: Members,
): Promise<string> {
  const values = present(members);
  return translateConstraints(constraintsOf(catalogue, values), () =>
    transaction(services.db, actor(context), async (tx) => {
      if (Object.keys(values).length > 0) {
        await queries.allowTime(tx);
        if ('responsible_authority_id' in values) {
          await queries.lockPurposes(tx);
        }
        await queries.updateRecord(tx, catalogue.table, id, values);
      }
      return getRecord(services, context, catalogue, id, tx);
    }),
  );
}

export async function deleteRecord(
  { db }: Services,
  context: RequestContext,
  { table, title }: Catalogue,
  id: number,
): Promise<void> {
  const deleted = await translateStillReferenced(
    async () => inUse(title, id, counted(await queries.countUsers(db, table, id))),
    () =>
      transaction(db, actor(context), async (tx) => {
        await queries.allowTime(tx);
        if (table === 'budget_source') {
          await queries.lockPurposesPaidFrom(tx, id);
        }
        if (table === 'stage_type' || table === 'responsible_authority') {
          await queries.lockPurposes(tx);
        }
        return queries.deleteRecord(tx, table, id);
      }),
  );
  if (!deleted) {
    throw notFound(title, id);
  }
}

function present(members: Members): queries.ColumnValues {
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function constraintsOf({ table, title, uniqueName, references }: Catalogue, values: queries.ColumnValues) {
  const { name } = values;
  const named = name === undefined ? 'the same name' : `name '${name}'`;
  return {
    [uniqueName]: () => new Problem('name_taken', 409, `${title} with ${named} already exists`),
    ...Object.fromEntries(
      Object.entries(references).map(([column, referenced]) => [
        `${table}_${column}_fkey`,
        () => unknownReference(referenced, Number(values[column])),
      ]),
    ),
  };
}
