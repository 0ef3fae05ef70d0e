import { z } from 'zod';
import { costInput } from './purchases.ts';
import { endpoint } from './endpoint.ts';
import { predefinedFlow } from './flows.ts';
import { amount, boolean, day, id, integer, nullIgnored, oneOf, paging, text } from './input.ts';
import * as out from './output.ts';

/** The choice of a purchase's flow: ordered rules, of which the first that matches decides. */

const codes = z
  .array(text({ min: 1, max: 32 }))
  .min(1)
  .max(100);
const ids = z.array(id()).min(1).max(1000);

/**
 * All that are given must hold; none given always holds. So a misspelt one is refused: ignored, it would make a rule that
 * matches everything.
 */
export const flowConditions = z
  .strictObject({
    /** How many cost lines. */
    lines: z
      .strictObject({ min: integer({ min: 0 }).optional(), max: integer({ min: 0 }).optional() })
      .refine(({ min = 0, max = min }) => min <= max, {
        error: 'min is above max: no number of lines is both',
      })
      .optional(),
    currencies: z
      .strictObject({
        /** There are costs, and each is in one of these. */
        only: codes.optional(),
        /** Each of these occurs. */
        all: codes.optional(),
      })
      .optional(),
    total: z
      .strictObject({
        /** `plain`: the amounts as they are, currencies mixed, as v1 summed them. `base`: converted at the rates of the day. */
        basis: oneOf(['plain', 'base']),
        at_least: amount().optional(),
        below: amount().optional(),
      })
      .refine(({ at_least = 0, below }) => below === undefined || at_least < below, {
        error: 'at_least is not less than below: no total is both',
      })
      .optional(),
    /** The purpose has one of these service types. */
    service_type_ids: ids.optional(),
    /** The purpose belongs to one of these nodes or to one below. */
    hierarchy_ids: ids.optional(),
  })
  .meta({ id: 'FlowConditions' });
export type FlowConditions = z.output<typeof flowConditions>;

export const flowRule = z
  .object({
    id: out.id,
    /** From 1 without gaps. */
    position: z.int(),
    name: z.string(),
    is_active: z.boolean(),
    conditions: z.object({
      lines: z.object({ min: z.int().optional(), max: z.int().optional() }).optional(),
      currencies: z
        .object({ only: z.array(z.string()).optional(), all: z.array(z.string()).optional() })
        .optional(),
      total: z
        .object({
          basis: z.enum(['plain', 'base']),
          at_least: out.money.optional(),
          below: out.money.optional(),
        })
        .optional(),
      service_type_ids: z.array(out.id).optional(),
      hierarchy_ids: z.array(out.id).optional(),
    }),
    /** Null: no flow, so no stages. */
    flow_name: z.string().nullable(),
    /** The flow of that name; null beside a name: there is none, and a purchase that needs it is refused. */
    flow_id: out.id.nullable(),
  })
  .meta({ id: 'FlowRule' });

const params = z.object({ rule_id: id() });
const name = text({ min: 1, max: 255 });
const flowName = text({ min: 1, max: 255 }).nullable();

export const listFlowRules = endpoint({
  id: 'flow-rules.list',
  method: 'GET',
  path: '/flow-rules/',
  summary: 'List the rules in their order',
  permission: 'flow-rules.read',
  query: z.object(paging),
  success: { status: 200, body: out.page(flowRule) },
});

export const getFlowRule = endpoint({
  id: 'flow-rules.get',
  method: 'GET',
  path: '/flow-rules/{rule_id}',
  summary: 'Show one rule',
  permission: 'flow-rules.read',
  params,
  success: { status: 200, body: flowRule },
  errors: [404],
});

export const createFlowRule = endpoint({
  id: 'flow-rules.create',
  method: 'POST',
  path: '/flow-rules/',
  summary: 'Add a rule, last or at a position',
  permission: 'flow-rules.write',
  body: z.strictObject({
    name,
    flow_name: flowName,
    conditions: flowConditions.default({}),
    is_active: boolean().default(true),
    /** The rules from there on move down. */
    position: integer({ min: 1 }).optional(),
  }),
  success: { status: 201, body: flowRule },
  errors: [400],
});

export const updateFlowRule = endpoint({
  id: 'flow-rules.update',
  method: 'PATCH',
  path: '/flow-rules/{rule_id}',
  summary: 'Change or move a rule: only the members present',
  permission: 'flow-rules.write',
  params,
  body: z.strictObject({
    name: nullIgnored(name),
    flow_name: flowName.optional(),
    conditions: nullIgnored(flowConditions),
    is_active: nullIgnored(boolean()),
    /** It moves there; the rules between move by one. */
    position: nullIgnored(integer({ min: 1 })),
  }),
  success: { status: 200, body: flowRule },
  errors: [400, 404],
});

export const deleteFlowRule = endpoint({
  id: 'flow-rules.delete',
  method: 'DELETE',
  path: '/flow-rules/{rule_id}',
  summary: 'Delete a rule. Decisions that it made stay on record',
  permission: 'flow-rules.write',
  params,
  success: { status: 204 },
  errors: [404],
});

export const previewFlow = endpoint({
  id: 'flow-rules.preview',
  method: 'POST',
  path: '/flow-rules/preview',
  summary: 'Try the rules: which one would decide about such a purchase, and why the ones before do not',
  permission: 'flow-rules.read',
  body: z.object({
    costs: z.array(costInput).max(1000).default([]),
    service_type_id: id().nullable().optional(),
    hierarchy_id: id().nullable().optional(),
    /** The day whose exchange rates count; today by default. */
    date: day().optional(),
  }),
  success: {
    status: 200,
    body: z
      .object({
        /** Null: no rule matched. */
        rule: flowRule.nullable(),
        /** Null: no flow, so no stages. */
        flow: predefinedFlow.nullable(),
        reason: z.string(),
        /** What the rules looked at: lines, currencies, totals (exact, as text), rates, service type, hierarchy. */
        facts: z.record(z.string(), z.unknown()),
        /** The rules that were tried, in order; the last one decided, unless none did. */
        tried: z.array(
          z.object({
            rule_id: out.id,
            name: z.string(),
            matches: z.boolean(),
            /** For each of its conditions whether it holds, and what was found. */
            checks: z.array(z.object({ condition: z.string(), holds: z.boolean(), found: z.string() })),
          }),
        ),
      })
      .meta({ id: 'FlowPreview' }),
  },
  errors: [409],
});
