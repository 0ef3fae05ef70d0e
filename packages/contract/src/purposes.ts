import { z } from 'zod';
import { authority } from './catalog.ts';
import { endpoint } from './endpoint.ts';
import { fileAttachment } from './files.ts';
import { hierarchy } from './hierarchies.ts';
import { boolean, day, id, integer, oneOf, paging, repeated, search, sortOrder, text } from './input.ts';
import * as out from './output.ts';
import { pendingAuthorities, purchase } from './purchases.ts';

export const purposeStatuses = ['IN_PROGRESS', 'COMPLETED', 'SIGNED', 'PARTIALLY_SUPPLIED'] as const;

const purposeContent = z
  .object({
    id: out.id,
    service_id: out.id,
    quantity: z.int(),
    service_name: z.string(),
    /** The name of the service's type. */
    service_type: z.string(),
  })
  .meta({ id: 'PurposeContent' });

export const purpose = z
  .object({
    id: out.id,
    description: z.string().nullable(),
    status: z.enum(purposeStatuses),
    comments: z.string().nullable(),
    expected_delivery: out.day.nullable(),
    supplier_id: out.id.nullable(),
    service_type_id: out.id.nullable(),
    is_flagged: z.boolean(),
    creation_time: out.dateTime,
    last_modified: out.dateTime,
    current_status_changed_at: out.dateTime.nullable(),
    /** The name of the supplier. */
    supplier: z.string().nullable(),
    /** The name of the service type. */
    service_type: z.string().nullable(),
    hierarchy: hierarchy.nullable(),
    pending_authority: authority.nullable(),
    file_attachments: z.array(fileAttachment),
    contents: z.array(purposeContent),
    purchases: z.array(purchase),
  })
  .meta({ id: 'Purpose' });

const purposeByItself = purpose
  .extend({
    /** Of all its purchases. */
    pending_authorities: pendingAuthorities,
    /** When the flag was set because nothing moved; null: a person set it, or there is none. */
    auto_flagged_at: out.dateTime.nullable(),
    /** What had not moved, and for how many days, when the flag was set. */
    auto_flag_reason: z
      .object({ purchase_id: out.id, stage_type_id: out.id, days: z.int(), allowed_days: z.int() })
      .nullable(),
  })
  .meta({ id: 'PurposeByItself' });

const purposeSummary = z
  .object({
    ...purpose.pick({
      id: true,
      description: true,
      status: true,
      comments: true,
      is_flagged: true,
      expected_delivery: true,
      creation_time: true,
      last_modified: true,
      supplier: true,
      service_type: true,
    }).shape,
    hierarchy: hierarchy.pick({ id: true, name: true, path: true }).nullable(),
    pending_authority: authority.pick({ id: true, name: true }).nullable(),
    contents: z.array(purposeContent.pick({ quantity: true, service_name: true })),
    purchases: z.array(
      z.object({
        id: out.id,
        days_since_last_completion: z.int().nullable(),
        /** What it waits for: the display name of each stage, or the name that was given to a custom one. */
        current_stages: z.array(z.string()),
        /** The name of the budget source. */
        budget_source: z.string().nullable(),
      }),
    ),
    /** The costs of all purchases, by currency. */
    totals: z.array(z.object({ currency: z.string(), amount: out.money })),
    file_count: z.int(),
  })
  .meta({ id: 'PurposeSummary' });

/** The filters of the lists and of the export (contract 3.2); different ones combine by AND, values of one by OR. */
const filters = {
  search,
  search_in: oneOf(['v1', 'everything'])
    .default('v1')
    .describe(
      '`v1` looks at descriptions, comments, the names of what a purpose refers to, and what was written at its stages. ' +
        '`everything` looks at ids (as a whole number), hierarchy paths, pending authorities, stage types and file names, too.',
    ),
  start_date: day().optional().describe('Created on this day of the organisation, or later'),
  end_date: day().optional().describe('Created on this day of the organisation, or before'),
  hierarchy_id: repeated(id()),
  status: repeated(oneOf(purposeStatuses)),
  supplier_id: repeated(id()),
  service_type_id: repeated(id()),
  service_id: repeated(id()),
  pending_authority_id: repeated(id()),
  budget_source_id: repeated(id()),
  is_flagged: boolean().optional(),
  sort_by: text({ max: 100 })
    .default('creation_time')
    .describe(
      '`creation_time`, `last_modified`, `expected_delivery`, `days_since_last_completion`, or another column of its own ' +
        '(`id`, `status`, `description`, …). A name that cannot be sorted by counts as `creation_time`, as in v1.',
    ),
  sort_order: sortOrder.default('desc'),
};

const purposeFilters = z.object(filters);
export type PurposeFilters = z.output<typeof purposeFilters>;

export const listPurposes = endpoint({
  id: 'purposes.list',
  method: 'GET',
  path: '/purposes/',
  summary: 'Search, filter and sort purposes',
  permission: 'purposes.read',
  query: z.object({ ...paging, ...filters }),
  success: { status: 200, body: out.page(purpose) },
});

export const summarizePurposes = endpoint({
  id: 'purposes.summaries',
  method: 'GET',
  path: '/purposes/summaries',
  summary: 'Search, filter and sort purposes, each with what a row of a table shows',
  description:
    'The filters and the order are those of the list of purposes; a page is a fraction of its size.',
  permission: 'purposes.read',
  query: z.object({ ...paging, ...filters }),
  success: { status: 200, body: out.page(purposeSummary) },
});

export const exportPurposes = endpoint({
  id: 'purposes.export',
  method: 'GET',
  path: '/purposes/export_csv',
  summary: 'All purposes that match, as CSV',
  permission: 'purposes.read',
  query: z.object({
    ...paging,
    ...filters,
    raw: boolean()
      .default(false)
      .describe(
        'Leaves cells that a spreadsheet would run as a formula as they are; by default an apostrophe disarms them.',
      ),
    bom: boolean()
      .default(false)
      .describe('Begins with a byte-order mark, so that spreadsheets read Hebrew.'),
    layout: oneOf(['v1', 'aligned'])
      .default('v1')
      .describe(
        '`aligned`: every cell about purchases has one line per purchase, `–` where there is nothing; stages have the ' +
          'names that people read; further columns tell flag, authority, budget sources, and costs by currency.',
      ),
  }),
  success: { status: 200, mediaType: 'text/csv; charset=utf-8' },
});

const params = z.object({ purpose_id: id() });

export const getPurpose = endpoint({
  id: 'purposes.get',
  method: 'GET',
  path: '/purposes/{purpose_id}',
  summary: 'Show one purpose with its purchases, contents and files',
  permission: 'purposes.read',
  params,
  success: { status: 200, body: purposeByItself, versioned: true },
  errors: [404],
});

const contents = z.array(z.object({ service_id: id(), quantity: integer({ min: 1 }) })).max(1000);
const fileIds = z.array(id()).max(1000);
const fields = {
  description: text({ max: 2000 }).nullable(),
  comments: text({ max: 1000 }).nullable(),
  expected_delivery: day().nullable(),
  hierarchy_id: id().nullable(),
  supplier_id: id().nullable(),
  service_type_id: id().nullable(),
};

export const createPurpose = endpoint({
  id: 'purposes.create',
  method: 'POST',
  path: '/purposes/',
  summary: 'File a purpose',
  permission: 'purposes.write',
  body: z.object({
    ...z.object(fields).partial().shape,
    status: oneOf(purposeStatuses).default('IN_PROGRESS'),
    is_flagged: boolean().default(false),
    contents: contents.default([]),
    file_attachment_ids: fileIds.default([]),
  }),
  success: { status: 201, body: purposeByItself, versioned: true },
  errors: [400, 409],
  idempotent: true,
});

export const updatePurpose = endpoint({
  id: 'purposes.update',
  method: 'PATCH',
  path: '/purposes/{purpose_id}',
  summary: 'Change a purpose: only the members present',
  permission: 'purposes.write',
  params,
  body: z.object({
    ...z.object(fields).partial().shape,
    status: oneOf(purposeStatuses).optional(),
    is_flagged: boolean().optional(),
    contents: contents.nullable().optional(),
    file_attachment_ids: fileIds.nullable().optional(),
  }),
  success: { status: 200, body: purposeByItself, versioned: true },
  errors: [400, 404, 409, 412],
});

export const deletePurpose = endpoint({
  id: 'purposes.delete',
  method: 'DELETE',
  path: '/purposes/{purpose_id}',
  summary: 'Delete a purpose with its purchases, stages and costs',
  description:
    'Its files stay, as in v1. With `delete_files=true` those go that no other purpose and no supplier uses.',
  permission: 'purposes.write',
  params,
  query: z.object({ delete_files: boolean().default(false) }),
  success: { status: 204 },
  errors: [404, 412],
});

export const deletedPurposes = endpoint({
  id: 'purposes.deleted',
  method: 'GET',
  path: '/purposes/deleted',
  summary: 'The purposes that were deleted and can be restored, the last one first',
  permission: 'purposes.read',
  query: z.object(paging),
  success: {
    status: 200,
    body: out.page(
      z
        .object({
          id: out.id,
          description: z.string().nullable(),
          deleted_at: out.dateTime,
          deleted_by: z.string().nullable(),
        })
        .meta({ id: 'DeletedPurpose' }),
    ),
  },
});

export const restorePurpose = endpoint({
  id: 'purposes.restore',
  method: 'POST',
  path: '/purposes/{purpose_id}/restore',
  summary:
    'Bring a deleted purpose back, with its purchases, stages, costs, contents, history and links to files',
  description:
    'Everything has its old id. 409 names what it refers to and was deleted since; deleted budget sources and flows ' +
    'are left empty, links to deleted files are left out.',
  permission: 'purposes.write',
  params,
  success: { status: 200, body: purposeByItself, versioned: true },
  errors: [404, 409],
});

export const purposeStatusHistory = endpoint({
  id: 'purposes.status-history',
  method: 'GET',
  path: '/purposes/{purpose_id}/status-history',
  summary: 'Every change of the status, oldest first: when and by whom',
  permission: 'purposes.read',
  params,
  success: {
    status: 200,
    body: z.array(
      z
        .object({
          id: out.id,
          previous_status: z.enum(purposeStatuses).nullable(),
          new_status: z.enum(purposeStatuses),
          changed_at: out.dateTime,
          changed_by: z.string().nullable(),
        })
        .meta({ id: 'StatusChange' }),
    ),
  },
  errors: [404],
});
