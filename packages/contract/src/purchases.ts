import { z } from 'zod';
import { authority, budgetSource, stageType } from './catalog.ts';
import { endpoint } from './endpoint.ts';
import { amount, boolean, day, id, oneOrList, text } from './input.ts';
import * as out from './output.ts';
import { stage } from './stages.ts';

export const cost = z
  .object({ id: out.id, purchase_id: out.id, currency: z.string(), amount: out.money })
  .meta({ id: 'Cost' });

export const purchase = z
  .object({
    id: out.id,
    purpose_id: out.id,
    budget_source_id: out.id.nullable(),
    creation_date: out.dateTime,
    costs: z.array(cost),
    budget_source: budgetSource.nullable(),
    pending_authority: authority.nullable(),
    flow_stages: z
      .array(z.union([stage, z.array(stage)]))
      .describe('By priority; stages that run in parallel stand together in a list of their own.'),
    current_pending_stages: z.array(stage),
    days_since_last_completion: z.int().nullable(),
  })
  .meta({ id: 'Purchase' });
export type Purchase = z.output<typeof purchase>;

/**
 * Whom the current stages wait for, each authority once, by id. Empty when nothing is pending, or nobody is responsible.
 * `pending_authority` follows v1's rule: it looks ahead, and back when everything is complete.
 */
export const pendingAuthorities = z.array(authority);

const purchaseByItself = purchase
  .extend({ pending_authorities: pendingAuthorities })
  .meta({ id: 'PurchaseByItself' });

/** Which flow the rules chose, and why. */
const flowChoice = {
  rule_id: out.id.nullable().describe('Null: no rule matched.'),
  rule_name: z.string().nullable(),
  flow_id: out.id.nullable().describe('Null: no flow, so no stages.'),
  flow_name: z.string().nullable(),
  reason: z.string(),
  facts: z
    .record(z.string(), z.unknown())
    .describe(
      'What the rules looked at: lines, currencies, totals (exact, as text), rates, service type, hierarchy.',
    ),
};

const flowDecision = z
  .object({
    id: out.id,
    ...flowChoice,
    decided_at: out.dateTime,
    decided_by: z.string().nullable(),
  })
  .meta({ id: 'FlowDecision' });

/** A currency is known to the database and not to the contract; an unknown one is refused like a wrong enum value. */
export const costInput = z.object({
  currency: text({ max: 32 }).describe('The code of an active currency.'),
  amount: amount().describe('How much, in that currency.'),
});
const costs = z.array(costInput).max(1000).describe('The cost lines; the flow rules look at them.');
const budgetSourceId = id().nullable().optional().describe('Who pays; null: nobody yet.');
const params = z.object({ purchase_id: id().describe('The id of the purchase.') });

export const createPurchase = endpoint({
  id: 'purchases.create',
  method: 'POST',
  path: '/purchases/',
  summary: 'Add a purchase to a purpose; the flow rules choose its stages',
  description:
    '400: there is no such purpose or budget source. 409: the flow that the rules choose does not exist, or a rule needs an exchange rate that there is not.',
  permission: 'purchases.write',
  body: z.object({
    purpose_id: id().describe('The purpose that it serves.'),
    budget_source_id: budgetSourceId,
    costs: costs.default([]),
  }),
  success: { status: 201, body: purchaseByItself, versioned: true },
  errors: [400, 409],
  idempotent: true,
});

export const getPurchase = endpoint({
  id: 'purchases.get',
  method: 'GET',
  path: '/purchases/{purchase_id}',
  summary: 'Show one purchase with its costs and stages',
  description: 'With what it waits for, since when, and whom the current stages wait for.',
  permission: 'purchases.read',
  params,
  success: { status: 200, body: purchaseByItself, versioned: true },
  errors: [404],
});

/** Exactly one of `id`, `stage_type_id` and `custom_name`. */
const stageEdit = z
  .object({
    id: id()
      .nullable()
      .optional()
      .describe('Keeps this stage of the purchase, with all its data, at the new position.'),
    stage_type_id: id().nullable().optional().describe('Adds a pending stage of this type.'),
    custom_name: text({ min: 1, max: 255 })
      .nullable()
      .optional()
      .describe('Adds a stage of the type `custom` with a name of its own.'),
    note: text()
      .nullable()
      .optional()
      .describe('Recorded on a custom stage; beside the others it is ignored, as in v1.'),
  })
  .transform((edit, context): StageEdit => {
    const { id, stage_type_id, custom_name, note } = edit;
    const kinds: StageEdit[] = [];
    if (id != null) kinds.push({ kind: 'keep', id });
    if (stage_type_id != null) kinds.push({ kind: 'add', stage_type_id });
    if (custom_name != null) kinds.push({ kind: 'custom', custom_name, note: note ?? null });
    const [only] = kinds;
    if (kinds.length === 1 && only) {
      return only;
    }
    context.issues.push({
      code: 'custom',
      message: 'Exactly one of id, stage_type_id and custom_name must be given',
      input: edit,
      params: { type: 'value_error' },
    });
    return z.NEVER;
  });

export type StageEdit =
  | { readonly kind: 'keep'; readonly id: number }
  | { readonly kind: 'add'; readonly stage_type_id: number }
  | { readonly kind: 'custom'; readonly custom_name: string; readonly note: string | null };

export const updatePurchase = endpoint({
  id: 'purchases.update',
  method: 'PATCH',
  path: '/purchases/{purchase_id}',
  summary: 'Change the budget source or the chain of stages: only the members present',
  description:
    'The list `stages` is the whole new chain. The position in the list becomes the priority; stages in a list of their own run in parallel; an empty one leaves a gap. Stages that the list does not name are deleted.',
  permission: 'purchases.write',
  params,
  body: z.object({
    budget_source_id: budgetSourceId,
    stages: z
      .array(oneOrList(stageEdit))
      .max(1000)
      .nullable()
      .optional()
      .describe('The whole new chain; null: it stays as it is.'),
  }),
  success: { status: 200, body: purchaseByItself, versioned: true },
  errors: [400, 404, 409, 412],
});

export const deletePurchase = endpoint({
  id: 'purchases.delete',
  method: 'DELETE',
  path: '/purchases/{purchase_id}',
  summary: 'Delete a purchase with its stages and costs',
  description: 'It can be restored.',
  permission: 'purchases.write',
  params,
  success: { status: 204 },
  errors: [404, 412],
});

export const restorePurchase = endpoint({
  id: 'purchases.restore',
  method: 'POST',
  path: '/purchases/{purchase_id}/restore',
  summary: 'Bring a deleted purchase back, with its stages and costs, under the ids they had',
  description:
    '409 names what it refers to and was deleted since. With its purpose it comes back by restoring that.',
  permission: 'purchases.write',
  params,
  success: { status: 200, body: purchaseByItself, versioned: true },
  errors: [404, 409],
});

export const replaceCosts = endpoint({
  id: 'purchases.replace-costs',
  method: 'PUT',
  path: '/purchases/{purchase_id}/costs',
  summary: 'Correct the costs of a purchase',
  description:
    'The list is all there will be: a line with an id changes that line, one without is added, lines that are not named are removed. The stages stay as they are; choose the flow again to let the rules look at the new costs.',
  permission: 'purchases.write',
  params,
  body: z.object({
    costs: z
      .array(
        costInput.extend({
          id: id().nullable().optional().describe('The line that is changed; left out or null: a new one.'),
        }),
      )
      .max(1000)
      .describe('All lines that there will be.'),
  }),
  success: { status: 200, body: purchaseByItself, versioned: true },
  errors: [400, 404, 412],
});

/** A stage of the chain that a choice leads to. */
const plannedStage = z
  .object({
    id: out.id.nullable().describe('The stage that is kept with all its data; null: a new one.'),
    priority: z.int(),
    completion_date: out.day.nullable(),
    custom_name: z.string().nullable(),
    stage_type: stageType,
  })
  .meta({ id: 'PlannedStage' });

export const chooseFlow = endpoint({
  id: 'purchases.choose-flow',
  method: 'POST',
  path: '/purchases/{purchase_id}/flow',
  summary: 'Let the rules choose the flow again, keeping every completed stage',
  description:
    'A stage whose type occurs in the new flow keeps its data and moves to its place there, completed ones first. Completed stages that no longer occur stay in front of the chain; pending ones that no longer occur are removed.',
  permission: 'purchases.write',
  params,
  body: z
    .object({
      dry_run: boolean().default(false).describe('Shows what would happen and changes nothing.'),
      date: day().optional().describe('The day whose exchange rates count; today by default.'),
    })
    .optional(),
  success: {
    status: 200,
    body: z
      .object({
        ...flowChoice,
        dry_run: z.boolean(),
        stages: z.array(plannedStage),
        removed: z.array(plannedStage).describe('Pending stages that do not occur in the new flow.'),
      })
      .meta({ id: 'FlowChange' }),
    versioned: true,
  },
  errors: [404, 409, 412],
});

export const listFlowDecisions = endpoint({
  id: 'purchases.flow-decisions',
  method: 'GET',
  path: '/purchases/{purchase_id}/flow-decisions',
  summary: 'Every choice of a flow for the purchase, newest first: by which rule and why',
  description: 'With what the rules looked at then: costs, rates of the day, service type, hierarchy.',
  permission: 'purchases.read',
  params,
  success: { status: 200, body: z.array(flowDecision) },
  errors: [404],
});
