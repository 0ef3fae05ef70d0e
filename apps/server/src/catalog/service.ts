import type { Database } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import type { Services } from '../platform/services.ts';
import { translateConstraints } from '../platform/constraints.ts';
import { actor, type RequestContext } from '../platform/context.ts';
import { envelope, pageOf } from '../platform/paging.ts';
import { nameTaken, notFound } from '../platform/problem.ts';
import * as queries from './queries.ts';

export interface CatalogueKind {
  readonly table: queries.CatalogueTable;
  /** As messages name it: "Budget source with ID 3 not found". */
  readonly title: string;
}

export async function listRecords(
  { db, config }: Services,
  kind: CatalogueKind,
  query: { readonly page: number; readonly limit?: number | undefined; readonly search?: string | undefined },
): Promise<string> {
  const page = pageOf(query, config.paging);
  const { items, total } = await queries.listRecords(db, kind.table, query.search, page);
  return envelope(items, total, page);
}

export async function getRecord(db: Database, kind: CatalogueKind, id: number): Promise<string> {
  const json = await queries.getRecord(db, kind.table, id);
  if (json === undefined) {
    throw notFound(kind.title, id);
  }
  return json;
}

export async function createRecord(
  { db }: Services,
  context: RequestContext,
  kind: CatalogueKind,
  values: queries.ColumnValues,
): Promise<string> {
  const id = await translateConstraints(constraintsOf(kind, values), () =>
    transaction(db, actor(context), (tx) => queries.insertRecord(tx, kind.table, values)),
  );
  return getRecord(db, kind, id);
}

export async function updateRecord(
  { db }: Services,
  context: RequestContext,
  kind: CatalogueKind,
  id: number,
  values: queries.ColumnValues,
): Promise<string> {
  await translateConstraints(constraintsOf(kind, values), () =>
    transaction(db, actor(context), async (tx) => {
      if (!(await queries.updateRecord(tx, kind.table, id, values))) {
        throw notFound(kind.title, id);
      }
    }),
  );
  return getRecord(db, kind, id);
}

export async function deleteRecord(
  { db }: Services,
  context: RequestContext,
  kind: CatalogueKind,
  id: number,
): Promise<void> {
  await transaction(db, actor(context), async (tx) => {
    if (!(await queries.deleteRecord(tx, kind.table, id))) {
      throw notFound(kind.title, id);
    }
  });
}

function constraintsOf(kind: CatalogueKind, values: queries.ColumnValues) {
  return { [`${kind.table}_name_key`]: () => nameTaken(kind.title, String(values['name'])) };
}
