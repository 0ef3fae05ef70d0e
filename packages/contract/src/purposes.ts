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
    service_type: z.string().describe("The name of the service's type."),
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
    supplier: z.string().nullable().describe('The name of the supplier.'),
    service_type: z.string().nullable().describe('The name of the service type.'),
    hierarchy: hierarchy.nullable(),
    pending_authority: authority.nullable(),
    file_attachments: z.array(fileAttachment),
    contents: z.array(purposeContent),
    purchases: z.array(purchase),
  })
  .meta({ id: 'Purpose' });

const purposeByItself = purpose
  .extend({
    pending_authorities: pendingAuthorities.describe('Of all its purchases.'),
    auto_flagged_at: out.dateTime
      .nullable()
      .describe('When the flag was set because nothing moved; null: a person set it, or there is none.'),
    auto_flag_reason: z
      .object({ purchase_id: out.id, stage_type_id: out.id, days: z.int(), allowed_days: z.int() })
      .nullable()
      .describe('What had not moved, and for how many days, when the flag was set.'),
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
        current_stages: z
          .array(z.string())
          .describe(
            'What it waits for: the display name of each stage, or the name that was given to a custom one.',
          ),
        budget_source: z.string().nullable().describe('The name of the budget source.'),
      }),
    ),
    totals: z
      .array(z.object({ currency: z.string(), amount: out.money }))
      .describe('The costs of all purchases, by currency.'),
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
  hierarchy_id: repeated(id(), 'Belongs to one of these nodes, or to one below; repeat it for several.'),
  status: repeated(oneOf(purposeStatuses), 'Has one of these; repeat it for several.'),
  supplier_id: repeated(id(), 'Has one of these suppliers; repeat it for several.'),
  service_type_id: repeated(id(), 'Has one of these service types; repeat it for several.'),
  service_id: repeated(id(), 'Contains one of these services; repeat it for several.'),
  pending_authority_id: repeated(id(), 'Waits for one of these authorities; repeat it for several.'),
  budget_source_id: repeated(id(), 'One of these pays for one of its purchases; repeat it for several.'),
  is_flagged: boolean().optional().describe('Is flagged, or is not.'),
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
  description:
    'Each with everything that belongs to it. Filters combine by AND, several values of one by OR. For a table take the summaries.',
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
  description:
    'The filters and the order are those of the list of purposes; `page` and `limit` are not looked at, as in v1.',
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

const params = z.object({ purpose_id: id().describe('The id of the purpose.') });

export const getPurpose = endpoint({
  id: 'purposes.get',
  method: 'GET',
  path: '/purposes/{purpose_id}',
  summary: 'Show one purpose with its purchases, contents and files',
  description: 'With whom all its current stages wait for, and why it was flagged by itself.',
  permission: 'purposes.read',
  params,
  success: { status: 200, body: purposeByItself, versioned: true },
  errors: [404],
});

const contents = z
  .array(
    z.object({
      service_id: id().describe('What is requested.'),
      quantity: integer({ min: 1 }).describe('How many.'),
    }),
  )
  .max(1000)
  .describe('All requested lines, each service once.');
const fileIds = z.array(id()).max(1000).describe('All files that are attached, uploaded before.');
const status = oneOf(purposeStatuses).describe('A person sets it; stages do not.');
const isFlagged = boolean().describe('Marks a purpose that needs attention.');
const fields = {
  description: text({ max: 2000 }).nullable().describe('What is needed, and why.'),
  comments: text({ max: 1000 }).nullable().describe('The status message.'),
  expected_delivery: day().nullable().describe('The day on which delivery is expected.'),
  hierarchy_id: id().nullable().describe('The node of the organisation that requests it.'),
  supplier_id: id().nullable().describe('Who sells.'),
  service_type_id: id().nullable().describe('The category of what is bought.'),
};

export const createPurpose = endpoint({
  id: 'purposes.create',
  method: 'POST',
  path: '/purposes/',
  summary: 'File a purpose',
  description:
    'Purchases are added to it afterwards. 400 names what does not exist, or the service that stands there twice.',
  permission: 'purposes.write',
  body: z.object({
    ...z.object(fields).partial().shape,
    status: status.default('IN_PROGRESS'),
    is_flagged: isFlagged.default(false),
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
  description:
    'Null empties a text, a day or a reference. 400 names what does not exist, or the service that stands there twice.',
  permission: 'purposes.write',
  params,
  body: z.object({
    ...z.object(fields).partial().shape,
    status: status.optional(),
    is_flagged: isFlagged.optional(),
    contents: contents.nullable().optional().describe('All requested lines there will be; null: they stay.'),
    file_attachment_ids: fileIds
      .nullable()
      .optional()
      .describe('All files that will be attached; null: they stay.'),
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
  query: z.object({
    delete_files: boolean().default(false).describe('Deletes the files, too, that nothing else uses.'),
  }),
  success: { status: 204 },
  errors: [404, 412],
});

export const deletedPurposes = endpoint({
  id: 'purposes.deleted',
  method: 'GET',
  path: '/purposes/deleted',
  summary: 'The purposes that were deleted and can be restored, the last one first',
  description: 'With when, and by whom.',
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
  description: 'The first one is the status with which the purpose was filed.',
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
