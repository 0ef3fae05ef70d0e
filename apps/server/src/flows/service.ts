import type { StageTypeReference } from '@calculaud/contract/flows';
import type { Executor } from '@calculaud/db/database';
import { transaction } from '@calculaud/db/transaction';
import { translateConstraints } from '../platform/constraints.ts';
import { actor, type RequestContext } from '../platform/context.ts';
import { envelope, pageOf } from '../platform/paging.ts';
import { nameTaken, notFound, Problem, unknownReference } from '../platform/problem.ts';
import type { Services } from '../platform/services.ts';
import * as queries from './queries.ts';

/** Positions from 1 become priorities; those of one position run in parallel. */
type Template = readonly (readonly StageTypeReference[])[];

export async function listFlows(
  { db, config }: Services,
  query: {
    readonly page: number;
    readonly limit?: number | undefined;
    readonly search?: string | undefined;
    readonly edit_format: boolean;
  },
): Promise<Buffer> {
  const page = pageOf(query, config.paging);
  const { items, total } = await queries.listFlows(db, query.search, formatOf(query), page);
  return envelope(items, total, page);
}

export async function getFlow(
  { db }: Services<Executor>,
  id: number,
  query: { readonly edit_format: boolean },
): Promise<string> {
  const flow = await queries.getFlow(db, id, formatOf(query));
  if (flow === undefined) {
    throw notFound('Predefined flow', id);
  }
  return flow;
}

export async function createFlow(
  services: Services,
  context: RequestContext,
  body: { readonly flow_name: string; readonly stages: Template },
): Promise<string> {
  return translateConstraints(constraintsOf(body.flow_name), () =>
    transaction(services.db, actor(context), async (tx) => {
      const inserted = await queries.insertFlow(tx, body.flow_name);
      await setTemplate(tx, inserted, body.stages);
      return getFlow({ ...services, db: tx }, inserted, { edit_format: false });
    }),
  );
}

export async function updateFlow(
  services: Services,
  context: RequestContext,
  id: number,
  body: { readonly flow_name?: string | undefined; readonly stages?: Template | undefined },
): Promise<string> {
  return translateConstraints(constraintsOf(body.flow_name), () =>
    transaction(services.db, actor(context), async (tx) => {
      if (!(await queries.updateFlow(tx, id, body.flow_name))) {
        throw notFound('Predefined flow', id);
      }
      if (body.stages) {
        await setTemplate(tx, id, body.stages);
      }
      return getFlow({ ...services, db: tx }, id, { edit_format: false });
    }),
  );
}

/** Purchases that have the flow keep their stages; their link to it becomes null, and that touches their purposes. */
export async function deleteFlow({ db }: Services, context: RequestContext, id: number): Promise<void> {
  await transaction(db, actor(context), async (tx) => {
    await queries.lockPurposesWith(tx, id);
    if (!(await queries.deleteFlow(tx, id))) {
      throw notFound('Predefined flow', id);
    }
  });
}

async function setTemplate(tx: Executor, id: number, template: Template): Promise<void> {
  const places = template.flatMap((level, index) =>
    level.map((reference) => ({ reference, priority: index + 1 })),
  );
  const ids = await queries.findStageTypes(
    tx,
    places.map(({ reference }) => reference),
  );
  const stages = places.map(({ reference, priority }, index) => {
    const stage_type_id = ids[index];
    if (stage_type_id == null) {
      throw unknownStageType(reference);
    }
    return { stage_type_id, priority };
  });
  await queries.replaceTemplate(tx, id, stages);
}

function unknownStageType(reference: StageTypeReference): Problem {
  return 'id' in reference
    ? unknownReference('Stage type', reference.id)
    : new Problem('unknown_reference', 400, `Stage type with name '${reference.name}' not found`);
}

function constraintsOf(flowName: string | undefined) {
  return {
    predefined_flow_flow_name_key: () => nameTaken('Predefined flow', flowName ?? ''),
    predefined_flow_stage_stage_type_id_fkey: () =>
      new Problem('unknown_reference', 400, 'Stage type not found: it was deleted a moment ago'),
  };
}

function formatOf({ edit_format }: { readonly edit_format: boolean }): queries.Format {
  return edit_format ? 'edit' : 'stages';
}
