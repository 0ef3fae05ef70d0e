import { z } from 'zod';
import { datedQuery, liveQuery } from './analytics-filters.ts';
import { endpoint } from './endpoint.ts';
import { oneOf } from './input.ts';
import * as out from './output.ts';
import { purposeStatuses } from './purposes.ts';

/** The ten figures of the dashboard. "Live" is every status but COMPLETED; days are those of the organisation's zone. */

const count = z.int();
/** With two decimals. */
const averageDays = z.number();

const live = {
  method: 'GET',
  permission: 'analytics.read',
  query: liveQuery,
  description:
    'As of now, filtered by service_type_id (of the purpose). Dates are looked at with `apply_dates=true` only: then they are those of the creation of the purpose.',
} as const;

const dated = {
  method: 'GET',
  permission: 'analytics.read',
  query: datedQuery,
} as const;

const serviceTypeCount = z.object({
  service_type_id: out.id,
  service_type_name: z.string(),
  count,
});

export const serviceTypesDistribution = endpoint({
  ...live,
  id: 'analytics.service-types',
  path: '/analytics/service-types/distribution',
  summary: 'Live purposes by service type',
  success: {
    status: 200,
    body: z
      .object({ data: z.array(z.object({ id: out.id, name: z.string(), count })) })
      .meta({ id: 'ServiceTypesDistribution' }),
  },
});

export const statusesDistribution = endpoint({
  ...live,
  id: 'analytics.statuses',
  path: '/analytics/statuses/distribution',
  summary: 'Live purposes by status',
  success: {
    status: 200,
    body: z
      .object({ data: z.array(z.object({ status: z.enum(purposeStatuses), count })) })
      .meta({ id: 'StatusesDistribution' }),
  },
});

export const pendingAuthoritiesDistribution = endpoint({
  ...live,
  id: 'analytics.pending-authorities',
  path: '/analytics/pending-authorities/distribution',
  summary: 'Live purposes by the authority whose turn it is',
  success: {
    status: 200,
    body: z
      .object({
        data: z.array(z.object({ authority_id: out.id.nullable(), authority_name: z.string(), count })),
      })
      .meta({ id: 'PendingAuthoritiesDistribution' }),
  },
});

export const pendingStagesDistribution = endpoint({
  ...live,
  id: 'analytics.pending-stages',
  path: '/analytics/pending-stages/distribution',
  summary: 'Stages that live purposes wait for, by stage type and service type',
  success: {
    status: 200,
    body: z
      .object({
        data: z.array(
          z.object({
            stage_type_id: out.id,
            stage_type_name: z.string(),
            total_count: count,
            service_types: z.array(serviceTypeCount),
          }),
        ),
      })
      .meta({ id: 'PendingStagesDistribution' }),
  },
});

export const serviceTypesByStatus = endpoint({
  ...dated,
  id: 'analytics.service-types-by-status',
  path: '/analytics/service-types/{status}/distribution',
  summary: 'Purposes that reached a status, by service type',
  description: 'The dates are those of the change to the status, whatever the status is now.',
  params: z.object({ status: oneOf(purposeStatuses).describe('The status that was reached.') }),
  success: {
    status: 200,
    body: z
      .object({
        data: z.array(serviceTypeCount),
        total_count: count,
        target_status: z.enum(purposeStatuses),
      })
      .meta({ id: 'ServiceTypesByStatus' }),
  },
});

export const serviceQuantities = endpoint({
  ...dated,
  id: 'analytics.service-quantities',
  path: '/analytics/services/quantities',
  summary: 'Requested quantities by service, under the type of the service',
  description: 'The dates are those of the creation of the purpose; service_type_id is that of the purpose.',
  success: {
    status: 200,
    body: z
      .object({
        data: z.array(
          z.object({
            service_type_id: out.id,
            service_type_name: z.string(),
            total_quantity: z.int(),
            services: z.array(z.object({ service_id: out.id, service_name: z.string(), quantity: z.int() })),
          }),
        ),
      })
      .meta({ id: 'ServiceQuantities' }),
  },
});

const amounts = z
  .object({
    ils: out.money,
    support_usd: out.money,
    available_usd: out.money,
    total_usd: out.money.describe(
      'All dollars, and all shekels at the configured rate, or those of their days.',
    ),
    total_ils: out.money.describe(
      'All shekels, and all dollars at the configured rate, or those of their days.',
    ),
    other: z
      .array(z.object({ currency: z.string(), amount: out.money }))
      .describe(
        'Sums in any further currency of the installation. Those that are dollars or shekels by their ISO code are part of ' +
          'the totals, the others of neither.',
      ),
  })
  .meta({ id: 'CostAmounts' });

const costs = {
  ...dated,
  query: z.object({
    ...datedQuery.shape,
    rates: oneOf(['configured', 'dated'])
      .default('configured')
      .describe(
        '`dated` converts each cost at the exchange rate of the day on which its purpose was created.',
      ),
  }),
  description:
    'The dates are those of the creation of the purpose; service_type_id is that of the purpose. With `rates=dated` days before the first known exchange rate have the configured one.',
} as const;

export const costsByServiceType = endpoint({
  ...costs,
  id: 'analytics.costs-by-service-type',
  path: '/analytics/costs/distribution/by-service-type',
  summary: 'Costs by service type of the purpose',
  success: {
    status: 200,
    body: z
      .object({
        data: z.array(
          z.object({ service_type_id: out.id.nullable(), service_type_name: z.string(), amounts }),
        ),
      })
      .meta({ id: 'CostsByServiceType' }),
  },
});

export const costsByBudgetSource = endpoint({
  ...costs,
  id: 'analytics.costs-by-budget-source',
  path: '/analytics/costs/distribution/by-budget-source',
  summary: 'Costs by budget source of the purchase',
  success: {
    status: 200,
    body: z
      .object({
        data: z.array(
          z.object({ budget_source_id: out.id.nullable(), budget_source_name: z.string(), amounts }),
        ),
      })
      .meta({ id: 'CostsByBudgetSource' }),
  },
});

export const purposeProcessingTimes = endpoint({
  ...dated,
  id: 'analytics.purpose-processing-times',
  path: '/analytics/purposes/processing-times',
  summary: 'Days from the first completed emf_id stage to the last change to COMPLETED, by service type',
  description:
    'Counts purchases: a purpose with two of them counts twice, and distinct_purposes says how many purposes they are. With `count=purposes` each purpose that is COMPLETED now counts once, from the first form of all its purchases; those that end before it are left out. The dates are those of the change to COMPLETED.',
  query: z.object({
    ...datedQuery.shape,
    count: oneOf(['purchases', 'purposes'])
      .default('purchases')
      .describe('What counts once: each purchase, as in v1, or each purpose.'),
  }),
  success: {
    status: 200,
    body: z
      .object({
        service_types: z.array(
          serviceTypeCount.extend({
            average_processing_days: averageDays,
            min_processing_days: z.int(),
            max_processing_days: z.int(),
          }),
        ),
        total_purposes: count.describe(
          "How many purchases: the name is v1's. With `count=purposes` it is true.",
        ),
        distinct_purposes: count,
      })
      .meta({ id: 'PurposeProcessingTimes' }),
  },
});

export const stageProcessingTimes = endpoint({
  ...dated,
  id: 'analytics.stage-processing-times',
  path: '/analytics/stages/processing-times',
  summary: 'Days that stages took since the level before them was complete, by stage type and service type',
  description:
    'The dates are those of the creation of the purpose. service_type_id filters the breakdown; the overall figures are of all purposes, and with `population=same` of those that the breakdown counts. Stages dated before the level before them are left out.',
  query: z.object({
    ...datedQuery.shape,
    population: oneOf(['all', 'same'])
      .default('all')
      .describe(
        'Of which purposes the overall figures are: all, as in v1, or the same as those of the breakdown.',
      ),
  }),
  success: {
    status: 200,
    body: z
      .object({
        data: z.array(
          z.object({
            stage_type_id: out.id,
            stage_type_name: z.string(),
            stage_type_display_name: z.string(),
            service_types: z.array(
              serviceTypeCount.extend({
                avg_processing_days: averageDays,
                min_processing_days: z.int(),
                max_processing_days: z.int(),
              }),
            ),
            overall_count: count,
            overall_avg_processing_days: averageDays,
            overall_min_processing_days: z.int(),
            overall_max_processing_days: z.int(),
          }),
        ),
      })
      .meta({ id: 'StageProcessingTimes' }),
  },
});
