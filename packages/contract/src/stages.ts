import { z } from 'zod';
import { stageType } from './catalog.ts';
import { endpoint } from './endpoint.ts';
import { day, id, text } from './input.ts';
import * as out from './output.ts';

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
    /** Worked out inside a purchase only; a stage by itself has null, as in v1. */
    days_since_previous_stage: z.int().nullable(),
    stage_type: stageType,
  })
  .meta({ id: 'Stage' });

const stageByItself = stage
  .extend({
    /** When its turn came. */
    ready_at: out.dateTime.nullable(),
    /** When work on it began: it was started, or something was first recorded on it. */
    started_at: out.dateTime.nullable(),
    /** By name. */
    started_by: z.string().nullable(),
    /** When its completion was recorded; `completion_date` is the day that people say it was complete. */
    done_at: out.dateTime.nullable(),
    /** By name. */
    done_by: z.string().nullable(),
  })
  .meta({ id: 'StageByItself' });

const params = z.object({ stage_id: id() });

export const getStage = endpoint({
  id: 'stages.get',
  method: 'GET',
  path: '/stages/{stage_id}',
  summary: 'Show one stage',
  permission: 'stages.read',
  params,
  success: { status: 200, body: stageByItself, versioned: true },
  errors: [404],
});

export const updateStage = endpoint({
  id: 'stages.update',
  method: 'PATCH',
  path: '/stages/{stage_id}',
  summary: 'Complete or reopen a stage, record its value or a note: only the members present',
  permission: 'stages.write',
  params,
  body: z.object({
    /** Only where the stage type takes values. An empty text is a value. */
    value: text().nullable().optional(),
    /** Null reopens the stage. */
    completion_date: day().nullable().optional(),
    note: text().nullable().optional(),
  }),
  success: { status: 200, body: stageByItself, versioned: true },
  errors: [400, 404, 409, 412],
});

export const startStage = endpoint({
  id: 'stages.start',
  method: 'POST',
  path: '/stages/{stage_id}/start',
  summary:
    'Record that work on a stage has begun, and by whom; a stage that was started already stays as it is',
  permission: 'stages.write',
  params,
  success: { status: 200, body: stageByItself, versioned: true },
  errors: [404, 412],
});
