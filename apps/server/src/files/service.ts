import type { FastifyRequest } from 'fastify';
import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { translateConstraints } from '../platform/constraints.ts';
import { actor, type RequestContext } from '../platform/context.ts';
import { assertUnchanged } from '../platform/etag.ts';
import { envelope, pageOf } from '../platform/paging.ts';
import { inUse, notFound, Problem } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import { fileLinks } from './links.ts';
import * as queries from './queries.ts';
import { discardObject, receiveFile } from './upload.ts';

export type { StoredFile } from './queries.ts';
export { storeContent } from './store.ts';
export { fileLinks };

export async function listFiles(
  services: Services,
  context: RequestContext,
  query: queries.FileFilters & { readonly page: number; readonly limit?: number | undefined },
): Promise<Buffer> {
  const page = pageOf(query, services.config.paging);
  const { items, total } = await queries.listFiles(services.db, query, page, fileLinks(services, context));
  return envelope(items, total, page);
}

export async function getDownload(services: Services, context: RequestContext, id: number): Promise<string> {
  const { signedUrlTtlSeconds } = services.config.files;
  const json = await queries.getDownload(services.db, id, fileLinks(services, context), signedUrlTtlSeconds);
  if (json === undefined) {
    throw notFound('File', id);
  }
  return json;
}

/** Stores the file of the request; with a purpose, attaches it there. */
export async function uploadFile(
  services: Services,
  context: RequestContext,
  request: FastifyRequest,
  purposeId?: number,
): Promise<string> {
  if (purposeId !== undefined) {
    // Before anything is read of what may be a large body; and again below, when it counts.
    assertPurpose(context, purposeId, await queries.purposeVersion(services.db, purposeId));
  }
  const file = await receiveFile(services, context, request);
  const id = await saveFile(services, context, file, purposeId).catch(async (error: unknown) => {
    await discardObject(services, context, file.s3_key);
    throw error;
  });
  const json = await queries.getAttachment(services.db, id, fileLinks(services, context));
  if (json === undefined) {
    throw notFound('File', id);
  }
  return json;
}

async function saveFile(
  { db }: Services,
  context: RequestContext,
  file: queries.StoredFile,
  purposeId: number | undefined,
): Promise<number> {
  return transaction(db, actor(context), async (tx) => {
    if (purposeId !== undefined) {
      const [purpose] = await queries.lockPurposes(tx, { purposeId });
      assertPurpose(context, purposeId, purpose?.version);
    }
    if (!(await queries.keepObject(tx, file.s3_key))) {
      throw new Problem('upload_too_slow', 408, 'Failed to upload file: it took more than a day');
    }
    const id = await queries.insertFile(tx, file);
    if (purposeId !== undefined) {
      await queries.linkFile(tx, purposeId, id);
      await queries.touchPurpose(tx, purposeId);
    }
    return id;
  });
}

/** From everything it is attached to. The object goes once the deletion is committed. */
export async function deleteFile(services: Services, context: RequestContext, id: number): Promise<void> {
  await refusingIcons(services, id, () =>
    transaction(services.db, actor(context), async (tx) => {
      const purposes = await queries.lockPurposes(tx, { fileId: id });
      await queries.raiseVersions(
        tx,
        purposes.map((purpose) => purpose.id),
      );
      if (!(await queries.deleteFile(tx, id))) {
        throw notFound('File', id);
      }
    }),
  );
}

/** Deletes, within the caller's transaction, the files that the purpose shows and nothing else uses. */
export async function deleteFilesOnlyOf(tx: Executor, purposeId: number): Promise<void> {
  const ids = await queries.lockFilesOf(tx, purposeId);
  if (ids.length > 0) {
    await queries.deleteUnusedBeside(tx, purposeId, ids);
  }
}

/** Deletes the file that the purpose shows; `onlyHere` leaves it to the others that use it. */
export async function detachFile(
  services: Services,
  context: RequestContext,
  { purposeId, fileId, onlyHere }: { purposeId: number; fileId: number; onlyHere: boolean },
): Promise<void> {
  await refusingIcons(services, fileId, () =>
    transaction(services.db, actor(context), async (tx) => {
      const locked = await queries.lockPurposes(tx, { purposeId, fileId });
      assertPurpose(context, purposeId, locked.find(({ id }) => id === purposeId)?.version);
      const uses = await queries.lockUses(tx, fileId);
      if (!uses.purposes.includes(purposeId)) {
        throw new Problem(
          'not_found',
          404,
          `File with ID ${fileId} is not attached to purpose with ID ${purposeId}`,
        );
      }
      await queries.touchPurpose(tx, purposeId);
      const others = uses.purposes.filter((id) => id !== purposeId);
      if (onlyHere && (others.length > 0 || uses.icon)) {
        await queries.unlinkFile(tx, purposeId, fileId);
        return;
      }
      await queries.raiseVersions(tx, others);
      await queries.deleteFile(tx, fileId);
    }),
  );
}

function assertPurpose(context: RequestContext, id: number, version: number | undefined): void {
  if (version === undefined) {
    throw notFound('Purpose', id);
  }
  assertUnchanged(context.ifMatch, version);
}

async function refusingIcons(services: Services, id: number, work: () => Promise<void>): Promise<void> {
  await translateConstraints(
    {
      supplier_file_icon_id_fkey: async () => {
        const count = await queries.suppliersWithIcon(services.db, id);
        return inUse('File', id, `${count} supplier${count === 1 ? '' : 's'} as an icon`);
      },
    },
    work,
  );
}
