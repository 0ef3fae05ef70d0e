import type { Executor } from '@calculaud/db/database';
import { translateConstraints } from '../platform/constraints.ts';
import { envelope, type Page } from '../platform/paging.ts';
import { notFound, Problem } from '../platform/problem.ts';
import * as queries from './queries.ts';

const titles: Readonly<Record<string, string>> = {
  purpose: 'Purpose',
  purchase: 'Purchase',
  supplier: 'supplier',
  service: 'service',
  service_type: 'service type',
  hierarchy: 'hierarchy',
  stage_type: 'stage type',
};

/** The delete that can be undone. A record that is there, or never was, has none. */
export async function findDeletion(
  tx: Executor,
  entity: queries.Restorable,
  id: number,
): Promise<queries.Deletion> {
  const title = titles[entity] ?? entity;
  if (await queries.exists(tx, entity, id)) {
    throw alreadyThere(title, id);
  }
  const deletion = await queries.latestDeletion(tx, entity, id);
  if (!deletion) {
    throw notFound(title, id);
  }
  return deletion;
}

/** The purpose that a deleted purchase belonged to. */
export const purposeOfPurchase = queries.purposeOfPurchase;

export const hasPendingStages = queries.hasPendingStages;

/** Brings back, within the caller's transaction, the record and all that went with it, under their old ids. */
export async function bringBack(tx: Executor, deletion: queries.Deletion): Promise<void> {
  const title = titles[deletion.entity] ?? deletion.entity;
  const missing = await queries.missingReferences(tx, deletion);
  if (missing.length > 0) {
    const named = missing.map(
      ({ entity, id, name }) =>
        `${titles[entity] ?? entity} with ID ${id}${name === null ? '' : ` ('${name}')`}`,
    );
    throw new Problem(
      'reference_gone',
      409,
      `${title} with ID ${deletion.id} cannot be restored: it refers to what was deleted since: ${named.join(', ')}`,
    );
  }
  await translateConstraints(clashes(title, deletion.id), () => queries.insertGone(tx, deletion));
  if (deletion.entity === 'purpose') {
    await queries.keepLastModified(tx, deletion);
  }
}

/** Others were faster by a moment. */
function clashes(title: string, id: number): Readonly<Record<string, () => Problem>> {
  const there = () => alreadyThere(title, id);
  const gone = () =>
    new Problem(
      'reference_gone',
      409,
      `${title} with ID ${id} cannot be restored: something it refers to was deleted a moment ago`,
    );
  return {
    purpose_pkey: there,
    purchase_pkey: there,
    purpose_supplier_id_fkey: gone,
    purpose_service_type_id_fkey: gone,
    purpose_hierarchy_id_fkey: gone,
    purpose_content_service_id_fkey: gone,
    purpose_file_attachment_file_attachment_id_fkey: gone,
    purchase_budget_source_id_fkey: gone,
    purchase_predefined_flow_id_fkey: gone,
    stage_stage_type_id_fkey: gone,
  };
}

function alreadyThere(title: string, id: number): Problem {
  return new Problem('already_there', 409, `${title} with ID ${id} is not deleted`);
}

export async function deletedPurposes(db: Executor, page: Page): Promise<Buffer> {
  const { items, total } = await queries.deletedPurposes(db, page);
  return envelope(items, total, page);
}
