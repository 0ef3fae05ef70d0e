import { z } from 'zod';
import { authority, budgetSource } from './catalog.ts';
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
    /** By priority; stages that run in parallel stand together in a list of their own. */
    flow_stages: z.array(z.union([stage, z.array(stage)])),
    current_pending_stages: z.array(stage),
    days_since_last_completion: z.int().nullable(),
  })
  .meta({ id: 'Purchase' });
