import type { PurposeFilters } from '@calculaud/contract/purposes';
import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { bringBack, deletedPurposes, findDeletion } from '../audit/service.ts';
import { deleteFilesOnlyOf, fileLinks } from '../files/service.ts';
import { translateConstraints } from '../platform/constraints.ts';
import { actor, type RequestContext } from '../platform/context.ts';
import { assertUnchanged } from '../platform/etag.ts';
import { envelope, pageOf } from '../platform/paging.ts';
import { notFound, Problem, unknownReference } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import type { KeptJson } from './kept-json.ts';
import * as read from './queries/read.ts';
import { listSummaries } from './queries/summaries.ts';
import * as write from './queries/write.ts';
import {
  assertNotCompleted,
  assertServicesOfType,
  assertServicesOnce,
  assertStatusFollows,
  type Status,
} from './rules.ts';

export interface VersionedJson {
  readonly json: Buffer;
  readonly version: number;
}

interface PurposeEdit extends write.PurposeValues {
  readonly contents?: readonly write.ContentLine[] | null | undefined;
  readonly file_attachment_ids?: readonly number[] | null | undefined;
}

type ListQuery = PurposeFilters & { readonly page: number; readonly limit?: number | undefined };

/** In one statement that finds the page, and one more that makes what of it is not kept. */
export async function listPurposes(
  services: Services,
  context: RequestContext,
  query: ListQuery,
  kept: KeptJson,
): Promise<Buffer> {
  const page = pageOf(query, services.config.paging);
  const view = viewOf(services, context);
  const { found, total } = await read.findPage(services.db, query, page, view.timeZone);
  const json = new Map<number, Buffer>();
  for (const purpose of found) {
    const still = kept.get(purpose.id, purpose, view);
    if (still) json.set(purpose.id, still);
  }
  const missing = found.flatMap(({ id }) => (json.has(id) ? [] : [id]));
  if (missing.length > 0) {
    const made = await read.makePurposes(services.db, { ids: missing, today: view.today, ...view.links });
    for (const purpose of made) {
      kept.set(purpose.id, purpose, view, purpose.json);
      json.set(purpose.id, purpose.json);
    }
  }
  // One that was deleted in between is no longer there.
  return envelope(
    found.flatMap(({ id }) => json.get(id) ?? []),
    total,
    page,
  );
}

export async function summarizePurposes(
  services: Services,
  context: RequestContext,
  query: ListQuery,
): Promise<Buffer> {
  const page = pageOf(query, services.config.paging);
  const { items, total } = await listSummaries(services.db, query, page, viewOf(services, context));
  return envelope(items, total, page);
}

export async function getPurpose(
  services: Services<Executor>,
  context: RequestContext,
  id: number,
): Promise<VersionedJson> {
  const purpose = await read.getPurpose(services.db, id, viewOf(services, context));
  if (!purpose) {
    throw notFound('Purpose', id);
  }
  return purpose;
}

export async function createPurpose(
  services: Services<Executor>,
  context: RequestContext,
  edit: PurposeEdit,
): Promise<VersionedJson> {
  return translateConstraints(referencesOf(edit), () =>
    transaction(services.db, actor(context), async (tx) => {
      await assertContents(tx, edit);
      const inserted = await write.insertPurpose(tx, edit);
      if (edit.contents?.length) {
        await write.replaceContents(tx, inserted, edit.contents);
      }
      if (edit.file_attachment_ids?.length) {
        await write.replaceFiles(tx, inserted, edit.file_attachment_ids);
      }
      if (edit.contents?.length) {
        await assertServices(services.config, tx, inserted);
      }
      return getPurpose({ ...services, db: tx }, context, inserted);
    }),
  );
}

export async function updatePurpose(
  services: Services,
  context: RequestContext,
  id: number,
  edit: PurposeEdit,
): Promise<VersionedJson> {
  return translateConstraints(referencesOf(edit), () =>
    transaction(services.db, actor(context), async (tx) => {
      const before = await lockUnchanged(tx, context, id);
      await assertContents(tx, edit);
      await assertStatus(services.config, tx, id, before.status, edit.status);
      await write.updatePurpose(tx, id, edit);
      if (edit.contents) {
        await write.replaceContents(tx, id, edit.contents);
      }
      if (edit.file_attachment_ids) {
        await write.replaceFiles(tx, id, edit.file_attachment_ids);
      }
      if (edit.contents || (edit.service_type_id ?? before.service_type_id) !== before.service_type_id) {
        await assertServices(services.config, tx, id);
      }
      return getPurpose({ ...services, db: tx }, context, id);
    }),
  );
}

/** `deleteFiles` takes along the files that nothing else uses. */
export async function deletePurpose(
  services: Services,
  context: RequestContext,
  { id, deleteFiles }: { readonly id: number; readonly deleteFiles: boolean },
): Promise<void> {
  await transaction(services.db, actor(context), async (tx) => {
    await lockUnchanged(tx, context, id);
    if (deleteFiles) {
      await deleteFilesOnlyOf(tx, id);
    }
    await write.deletePurpose(tx, id);
  });
}

export async function listDeleted(
  { db, config }: Services,
  query: { readonly page: number; readonly limit?: number | undefined },
): Promise<Buffer> {
  return deletedPurposes(db, pageOf(query, config.paging));
}

export async function restorePurpose(
  services: Services,
  context: RequestContext,
  id: number,
): Promise<VersionedJson> {
  return transaction(services.db, actor(context), async (tx) => {
    await bringBack(tx, await findDeletion(tx, 'purpose', id));
    return getPurpose({ ...services, db: tx }, context, id);
  });
}

export async function statusHistory({ db }: Services, id: number): Promise<string> {
  const history = await read.statusHistory(db, id);
  if (history === undefined) {
    throw notFound('Purpose', id);
  }
  return history;
}

/** For whoever lets a stage below the purpose become pending; the caller has locked the purpose. */
export async function assertTakesPendingStages(
  { config }: Services<Executor>,
  tx: Executor,
  id: number,
): Promise<void> {
  if (config.organisation.rules.has('status-follows-stages')) {
    const purpose = await write.lockPurpose(tx, id);
    if (purpose) {
      assertNotCompleted(id, purpose.status);
    }
  }
}

async function lockUnchanged(
  tx: Executor,
  context: RequestContext,
  id: number,
): Promise<write.LockedPurpose> {
  const purpose = await write.lockPurpose(tx, id);
  if (!purpose) {
    throw notFound('Purpose', id);
  }
  assertUnchanged(context.ifMatch, purpose.version);
  return purpose;
}

async function assertStatus(
  { organisation }: Services['config'],
  tx: Executor,
  id: number,
  before: Status,
  after: Status = before,
): Promise<void> {
  if (after !== before && organisation.rules.has('status-follows-stages')) {
    assertStatusFollows(before, after, await write.pendingStages(tx, id));
  }
}

/** After the edit is written: what counts is how contents and service type stand together then. */
async function assertServices({ organisation }: Services['config'], tx: Executor, id: number): Promise<void> {
  if (organisation.rules.has('services-of-type')) {
    const type = await write.serviceTypeOf(tx, id);
    assertServicesOfType(type, await write.lockServicesOf(tx, id));
  }
}

async function assertContents(tx: Executor, { contents, file_attachment_ids }: PurposeEdit): Promise<void> {
  if (contents?.length) {
    assertServicesOnce(contents);
    const unknown = await write.unknownService(
      tx,
      contents.map((line) => line.service_id),
    );
    if (unknown !== undefined) {
      throw new Problem('unknown_reference', 400, `Service with ID ${unknown} does not exist`);
    }
  }
  if (file_attachment_ids?.length) {
    const unknown = await write.unknownFiles(tx, file_attachment_ids);
    if (unknown.length > 0) {
      throw new Problem('unknown_reference', 400, `File with ID ${unknown.join(', ')} not found`);
    }
  }
}

function referencesOf(edit: PurposeEdit) {
  return {
    purpose_hierarchy_id_fkey: () => unknownReference('Hierarchy', edit.hierarchy_id ?? 0),
    purpose_supplier_id_fkey: () => unknownReference('Supplier', edit.supplier_id ?? 0),
    purpose_service_type_id_fkey: () => unknownReference('Service type', edit.service_type_id ?? 0),
    purpose_content_service_id_fkey: () =>
      new Problem(
        'unknown_reference',
        400,
        'A service of the contents was deleted a moment ago and does not exist',
      ),
    purpose_file_attachment_file_attachment_id_fkey: () =>
      new Problem('unknown_reference', 400, 'A file was deleted a moment ago and does not exist'),
  };
}

function viewOf(services: Services<Executor>, context: RequestContext): read.View {
  return {
    today: context.today,
    timeZone: services.config.organisation.timeZone,
    links: fileLinks(services, context),
  };
}
