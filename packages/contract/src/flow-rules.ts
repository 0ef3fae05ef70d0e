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
    lines: z
      .strictObject({
        min: integer({ min: 0 }).optional().describe('There are at least so many.'),
        max: integer({ min: 0 }).optional().describe('There are at most so many.'),
      })
      .refine(({ min = 0, max = min }) => min <= max, {
        error: 'min is above max: no number of lines is both',
      })
      .optional()
      .describe('How many cost lines there are.'),
    currencies: z
      .strictObject({
        only: codes.optional().describe('There are costs, and each is in one of these.'),
        all: codes.optional().describe('Each of these occurs.'),
      })
      .optional()
      .describe('The currencies that the costs are in, by their codes.'),
    total: z
      .strictObject({
        basis: oneOf(['plain', 'base']).describe(
          '`plain`: the amounts as they are, currencies mixed, as v1 summed them. `base`: converted at the rates of the day.',
        ),
        at_least: amount().optional().describe('The total is this or more.'),
        below: amount().optional().describe('The total is less than this.'),
      })
      .refine(({ at_least = 0, below }) => below === undefined || at_least < below, {
        error: 'at_least is not less than below: no total is both',
      })
      .optional()
      .describe('The sum of all cost lines.'),
    service_type_ids: ids.optional().describe('The purpose has one of these service types.'),
    hierarchy_ids: ids.optional().describe('The purpose belongs to one of these nodes or to one below.'),
  })
  .meta({ id: 'FlowConditions' });
export type FlowConditions = z.output<typeof flowConditions>;

export const flowRule = z
  .object({
    id: out.id,
    position: z.int().describe('From 1 without gaps.'),
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
    flow_name: z.string().nullable().describe('Null: no flow, so no stages.'),
    flow_id: out.id
      .nullable()
      .describe(
        'The flow of that name; null beside a name: there is none, and a purchase that needs it is refused.',
      ),
  })
  .meta({ id: 'FlowRule' });

const params = z.object({ rule_id: id().describe('The id of the rule.') });
const name = text({ min: 1, max: 255 }).describe('What people read where the rule decided.');
const flowName = text({ min: 1, max: 255 })
  .nullable()
  .describe('The predefined flow that it chooses, by name; null: no flow, so no stages.');
const conditions = flowConditions.describe('All that are given must hold; none given: it always matches.');
const isActive = boolean().describe('Whether it is asked at all.');

export const listFlowRules = endpoint({
  id: 'flow-rules.list',
  method: 'GET',
  path: '/flow-rules/',
  summary: 'List the rules in their order',
  description: 'The first one that is active and matches decides which flow a purchase gets.',
  permission: 'flow-rules.read',
  query: z.object(paging),
  success: { status: 200, body: out.page(flowRule) },
});

export const getFlowRule = endpoint({
  id: 'flow-rules.get',
  method: 'GET',
  path: '/flow-rules/{rule_id}',
  summary: 'Show one rule',
  description: 'Its place, its conditions and the flow that it chooses.',
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
  description:
    'It decides about purchases from now on; those that have their flow keep it. 400: a condition names what there is not.',
  permission: 'flow-rules.write',
  body: z.strictObject({
    name,
    flow_name: flowName,
    conditions: conditions.default({}),
    is_active: isActive.default(true),
    position: integer({ min: 1 }).optional().describe('The rules from there on move down.'),
  }),
  success: { status: 201, body: flowRule },
  errors: [400],
});

export const updateFlowRule = endpoint({
  id: 'flow-rules.update',
  method: 'PATCH',
  path: '/flow-rules/{rule_id}',
  summary: 'Change or move a rule: only the members present',
  description: '`conditions` are replaced as a whole. Purchases that have their flow keep it.',
  permission: 'flow-rules.write',
  params,
  body: z.strictObject({
    name: nullIgnored(name),
    flow_name: flowName.optional(),
    conditions: nullIgnored(conditions),
    is_active: nullIgnored(isActive),
    position: nullIgnored(integer({ min: 1 })).describe('It moves there; the rules between move by one.'),
  }),
  success: { status: 200, body: flowRule },
  errors: [400, 404],
});

export const deleteFlowRule = endpoint({
  id: 'flow-rules.delete',
  method: 'DELETE',
  path: '/flow-rules/{rule_id}',
  summary: 'Delete a rule',
  description: 'Decisions that it made stay on record, and the rules behind it move up.',
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
  description: 'Nothing is stored. 409: a rule needs an exchange rate that there is not.',
  permission: 'flow-rules.read',
  body: z.object({
    costs: z.array(costInput).max(1000).default([]).describe('The cost lines that the purchase would have.'),
    service_type_id: id().nullable().optional().describe('The service type that its purpose would have.'),
    hierarchy_id: id().nullable().optional().describe('The node that its purpose would belong to.'),
    date: day().optional().describe('The day whose exchange rates count; today by default.'),
  }),
  success: {
    status: 200,
    body: z
      .object({
        rule: flowRule.nullable().describe('Null: no rule matched.'),
        flow: predefinedFlow.nullable().describe('Null: no flow, so no stages.'),
        reason: z.string(),
        facts: z
          .record(z.string(), z.unknown())
          .describe(
            'What the rules looked at: lines, currencies, totals (exact, as text), rates, service type, hierarchy.',
          ),
        tried: z
          .array(
            z.object({
              rule_id: out.id,
              name: z.string(),
              matches: z.boolean(),
              checks: z
                .array(z.object({ condition: z.string(), holds: z.boolean(), found: z.string() }))
                .describe('For each of its conditions whether it holds, and what was found.'),
            }),
          )
          .describe('The rules that were tried, in order; the last one decided, unless none did.'),
      })
      .meta({ id: 'FlowPreview' }),
  },
  errors: [409],
});
