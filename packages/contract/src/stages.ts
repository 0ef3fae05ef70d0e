import { z } from 'zod';
import * as out from './output.ts';
import { stageType } from './catalog.ts';

export const stage = z
  .object({
    id: out.id,
    purchase_id: out.id,
    stage_type_id: out.id,
    /** Its position; equal ones run in parallel. */
    priority: z.int(),
    value: z.string().nullable(),
    completion_date: out.day.nullable(),
    note: z.string().nullable(),
    custom_name: z.string().nullable(),
    days_since_previous_stage: z.int().nullable(),
    ready_at: out.dateTime.nullable(),
    started_at: out.dateTime.nullable(),
    done_at: out.dateTime.nullable(),
    stage_type: stageType,
  })
  .meta({ id: 'Stage' });
