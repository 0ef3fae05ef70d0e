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
    priority: z.int().describe('Its position; equal ones run in parallel.'),
    value: z.string().nullable(),
    completion_date: out.day.nullable(),
    note: z.string().nullable(),
    custom_name: z.string().nullable(),
    days_since_previous_stage: z
      .int()
      .nullable()
      .describe('Worked out inside a purchase only; a stage by itself has null, as in v1.'),
    stage_type: stageType,
  })
  .meta({ id: 'Stage' });

const stageByItself = stage
  .extend({
    ready_at: out.dateTime.nullable().describe('When its turn came.'),
    started_at: out.dateTime
      .nullable()
      .describe('When work on it began: it was started, or something was first recorded on it.'),
    started_by: z.string().nullable().describe('By name.'),
    done_at: out.dateTime
      .nullable()
      .describe(
        'When its completion was recorded; `completion_date` is the day that people say it was complete.',
      ),
    done_by: z.string().nullable().describe('By name.'),
  })
  .meta({ id: 'StageByItself' });

const params = z.object({ stage_id: id().describe('The id of the stage.') });

export const getStage = endpoint({
  id: 'stages.get',
  method: 'GET',
  path: '/stages/{stage_id}',
  summary: 'Show one stage',
  description: 'With when its turn came, when work on it began, when it was done, and by whom.',
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
  description:
    '400: its type takes no values. 409: a stricter rule of the installation (`CALCULAUD_RULES`) speaks against it.',
  permission: 'stages.write',
  params,
  body: z.object({
    value: text()
      .nullable()
      .optional()
      .describe('Only where the stage type takes values. An empty text is a value.'),
    completion_date: day().nullable().optional().describe('Null reopens the stage.'),
    note: text().nullable().optional().describe('For people; null takes it away.'),
  }),
  success: { status: 200, body: stageByItself, versioned: true },
  errors: [400, 404, 409, 412],
});

export const startStage = endpoint({
  id: 'stages.start',
  method: 'POST',
  path: '/stages/{stage_id}/start',
  summary: 'Record that work on a stage has begun, and by whom',
  description: 'A stage that was started already stays as it is.',
  permission: 'stages.write',
  params,
  success: { status: 200, body: stageByItself, versioned: true },
  errors: [404, 412],
});
