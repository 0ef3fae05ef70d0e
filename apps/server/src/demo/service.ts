import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { followConfiguredRate } from '../currencies/service.ts';
import { type StoredFile, storeContent } from '../files/service.ts';
import { systemPrincipal } from '../identity/service.ts';
import { counted } from '../platform/counted.ts';
import { Problem } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import { documentFile } from './documents.ts';
import { draftPurposes } from './drafts.ts';
import { localTime } from './local-time.ts';
import { removeRows } from './queries/clear.ts';
import { reference } from './queries/organisation.ts';
import { insertRows, reserveIds } from './queries/purposes.ts';
import { isUntouched, lastEvent, lockDemo, recordEvent } from './queries/record.ts';
import { type DemoEntity, demoEntities, type DemoRow, lockMade, surveyDemo } from './queries/survey.ts';
import { rowsOf } from './rows.ts';
import { budgetIds, saveOrganisation, SUBJECT } from './save-organisation.ts';
import { tell } from './tell.ts';

export type { DemoEntity };

/** Whether an installation has a demonstration is decided once, at its first start, if nobody entered anything before. */
export async function isUndecided(db: Executor): Promise<boolean> {
  return (await lastEvent(db)) === undefined && (await isUntouched(db));
}

export async function declineDemo(db: Executor): Promise<void> {
  await recordEvent(db, 'declined');
}

/** Adds the demonstration organisation, with histories that end at `now`. Refused while there is one. */
export async function addDemo(services: Services, now: Date): Promise<void> {
  const { db, config } = services;
  const { timeZone, autoFlagDays } = config.organisation;
  await refuseSecondDemo(db);
  const localNow = localTime(now, timeZone);
  const drafts = draftPurposes(localNow);
  // So that decisions know a rate, as those of people do.
  await followConfiguredRate(services);
  // Before the rows: when a file is seen, its content is there.
  const files: StoredFile[][] = [];
  for (const draft of drafts) {
    const contents = draft.documents.map((document) => documentFile(draft, document));
    files.push(await Promise.all(contents.map((content) => storeContent(services, content))));
  }

  const nobody = await demoPrincipal(db);
  await transaction(db, { principalId: nobody, requestId: null }, async (tx) => {
    await lockDemo(tx);
    await refuseSecondDemo(tx);
    const known = await saveOrganisation(tx);
    const given = await reference(tx);
    const told = await tell(tx, drafts, files, known, given, { now: localNow, autoFlagDays });
    const ids = {
      ...known,
      nobody,
      budget: budgetIds(given),
      purposes: await reserveIds(tx, 'purpose', drafts.length),
      purchases: await reserveIds(tx, 'purchase', drafts.flatMap(({ purchases }) => purchases).length),
    };
    await insertRows(tx, rowsOf(told, ids), timeZone);
    await recordEvent(tx, 'added');
  });
}

/** Refuses to go on when there is a demonstration. */
export async function refuseSecondDemo(db: Executor): Promise<void> {
  if ((await lastEvent(db)) === 'added') {
    throw new Problem('demo_exists', 409, 'The demonstration organisation is there already');
  }
}

async function demoPrincipal(db: Executor): Promise<number> {
  return systemPrincipal(db, SUBJECT, 'Demonstration');
}

/** What a clearing would do, or has done. */
export interface Clearing {
  /** How many of each go. */
  readonly going: Readonly<Record<DemoEntity, number>>;
  readonly kept: readonly KeptRow[];
}

export interface KeptRow {
  readonly entity: DemoEntity;
  readonly id: number;
  readonly name: string;
  readonly reason: string;
}

export interface ClearingOptions {
  /** Purposes go that people edited, too; never those that they added something to. */
  readonly edited?: boolean;
}

export async function planClearing(
  db: Executor,
  { edited = false }: ClearingOptions = {},
): Promise<Clearing> {
  return clearingOf(await surveyDemo(db, { edited }));
}

/**
 * Removes what the demonstration made and nobody built upon or edited; the rest is kept, and told with the reason. The audit trail
 * keeps all of it, and so the people in it remain, too. The contents of the files go soon after.
 */
export async function clearDemo(db: Executor, { edited = false }: ClearingOptions = {}): Promise<Clearing> {
  const principalId = await demoPrincipal(db);
  return transaction(db, { principalId, requestId: null }, async (tx) => {
    await lockDemo(tx);
    await lockMade(tx);
    const rows = await surveyDemo(tx, { edited });
    for (const entity of demoEntities) {
      const going = rows.filter((row) => row.entity === entity && canGo(row));
      if (going.length > 0) {
        await removeRows(
          tx,
          entity,
          going.map(({ id }) => id),
        );
      }
    }
    if ((await lastEvent(tx)) === 'added') await recordEvent(tx, 'cleared');
    return clearingOf(rows);
  });
}

function canGo({ holds }: DemoRow): boolean {
  return Object.keys(holds).length === 0;
}

function clearingOf(rows: readonly DemoRow[]): Clearing {
  const count = (entity: DemoEntity): number =>
    rows.filter((row) => row.entity === entity && canGo(row)).length;
  return {
    going: {
      purpose: count('purpose'),
      file: count('file'),
      supplier: count('supplier'),
      service: count('service'),
      service_type: count('service_type'),
      hierarchy: count('hierarchy'),
      stage_type: count('stage_type'),
    },
    kept: rows
      .filter((row) => !canGo(row))
      .map(({ entity, id, name, holds }) => ({ entity, id, name, reason: reasonOf(entity, holds) })),
  };
}

function reasonOf(entity: DemoEntity, holds: DemoRow['holds']): string {
  const { icon = 0, edit = 0, ...users } = holds;
  if (entity === 'purpose') {
    const added = Object.keys(users).length > 0;
    return added || edit === 0 ? `somebody added ${counted(users)} to it` : 'somebody edited it';
  }
  const used = Object.keys(users).length > 0 ? [`it is used by ${counted(users)}`] : [];
  return [...used, ...(icon > 0 ? ['somebody gave it an icon'] : [])].join(', and ');
}
