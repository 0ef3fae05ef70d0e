import { z } from 'zod';
import { stageType } from './catalog.ts';
import { endpoint } from './endpoint.ts';
import { boolean, id, nullIgnored, oneOrList, paging, search, text } from './input.ts';
import * as out from './output.ts';

/** Templates of stages (contract 2.3): what a purchase's chain is copied from. */

const flowStage = z
  .object({
    id: out.id,
    predefined_flow_id: out.id,
    stage_type_id: out.id,
    priority: z.int(),
    stage_type: stageType,
  })
  .meta({ id: 'FlowStage' });

export const predefinedFlow = z
  .object({
    id: out.id,
    flow_name: z.string(),
    created_at: out.dateTime,
    flow_stages: z
      .array(z.union([flowStage, z.array(flowStage)]))
      .describe('By priority; stages that run in parallel stand together in a list of their own.'),
  })
  .meta({ id: 'PredefinedFlow' });

const predefinedFlowEdit = z
  .object({
    id: out.id,
    flow_name: z.string(),
    created_at: out.dateTime,
    stages: z
      .array(z.union([z.string(), z.array(z.string())]))
      .describe('Names of stage types, as a POST or PATCH takes them.'),
  })
  .meta({ id: 'PredefinedFlowEdit' });

const eitherFormat = z.union([predefinedFlow, predefinedFlowEdit]);
const editFormat = {
  edit_format: boolean()
    .default(false)
    .describe(
      'Answers in the form that an edit takes: names of stage types in `stages` instead of `flow_stages`.',
    ),
};

/** A stage type by its id, or by its name; text is always a name, even when it is all digits. */
export type StageTypeReference = { readonly id: number } | { readonly name: string };

const stageTypeReference = z
  .unknown()
  .transform((input, context): StageTypeReference => {
    const parsed = (typeof input === 'string' ? text({ max: 255 }) : id()).safeParse(input);
    if (parsed.success) {
      return typeof parsed.data === 'string' ? { name: parsed.data } : { id: parsed.data };
    }
    for (const issue of parsed.error.issues) {
      if (issue.code === 'custom') {
        context.issues.push({ code: 'custom', message: issue.message, input, params: issue.params });
      }
    }
    return z.NEVER;
  })
  .meta({ anyOf: [{ type: 'integer' }, { type: 'string', maxLength: 255 }] });

const flowName = text({ min: 1, max: 255 }).describe(
  'No other has the same; flow rules choose it by this name.',
);
const stages = z
  .array(oneOrList(stageTypeReference))
  .max(1000)
  .describe(
    'Stage types, by id (a number) or by name (a text). The position, from 1, becomes the priority; those in a list of their ' +
      'own run in parallel, and an empty one uses a position up.',
  );
const params = z.object({ flow_id: id().describe('The id of the predefined flow.') });

export const listPredefinedFlows = endpoint({
  id: 'predefined-flows.list',
  method: 'GET',
  path: '/predefined-flows/',
  summary: 'List predefined flows by name',
  description: 'Each is a chain of stage types that is copied into a new purchase.',
  permission: 'predefined-flows.read',
  query: z.object({ ...paging, search, ...editFormat }),
  success: { status: 200, body: out.page(eitherFormat) },
});

export const getPredefinedFlow = endpoint({
  id: 'predefined-flows.get',
  method: 'GET',
  path: '/predefined-flows/{flow_id}',
  summary: 'Show one predefined flow',
  description: 'With its stages, or in the form that an edit takes.',
  permission: 'predefined-flows.read',
  params,
  query: z.object(editFormat),
  success: { status: 200, body: eitherFormat },
  errors: [404],
});

export const createPredefinedFlow = endpoint({
  id: 'predefined-flows.create',
  method: 'POST',
  path: '/predefined-flows/',
  summary: 'Add a predefined flow',
  description:
    'A flow rule has to name it before a purchase gets it. 400: there is no such stage type. 409: another has the same name.',
  permission: 'predefined-flows.write',
  body: z.object({ flow_name: flowName, stages }),
  success: { status: 201, body: predefinedFlow },
  errors: [400, 409],
});

export const updatePredefinedFlow = endpoint({
  id: 'predefined-flows.update',
  method: 'PATCH',
  path: '/predefined-flows/{flow_id}',
  summary: 'Rename a predefined flow or replace its stages',
  description: 'Purchases that have it stay as they are; flow rules that name it follow a new name.',
  permission: 'predefined-flows.write',
  params,
  body: z.object({ flow_name: flowName.optional(), stages: nullIgnored(stages) }),
  success: { status: 200, body: predefinedFlow },
  errors: [400, 404, 409],
});

export const deletePredefinedFlow = endpoint({
  id: 'predefined-flows.delete',
  method: 'DELETE',
  path: '/predefined-flows/{flow_id}',
  summary: 'Delete a predefined flow',
  description: 'Purchases that have it keep their stages and lose the link.',
  permission: 'predefined-flows.write',
  params,
  success: { status: 204 },
  errors: [404],
});
