import { appliedDates } from '@calculaud/contract/analytics-filters';
import type { Services } from '../platform/services.ts';
import * as queries from './queries.ts';

/** Every figure is one statement, whose answer goes out as it is (contract 3.14). */

type LiveQuery = Parameters<typeof appliedDates>[0];
type Query = Omit<queries.Filter, 'timeZone'>;

interface Rates {
  readonly rates: 'configured' | 'dated';
}

export function serviceTypesDistribution(services: Services, query: LiveQuery): Promise<string> {
  return queries.serviceTypesDistribution(services.db, live(services, query));
}

export function statusesDistribution(services: Services, query: LiveQuery): Promise<string> {
  return queries.statusesDistribution(services.db, live(services, query));
}

export function pendingAuthoritiesDistribution(services: Services, query: LiveQuery): Promise<string> {
  return queries.pendingAuthoritiesDistribution(services.db, live(services, query));
}

export function pendingStagesDistribution(services: Services, query: LiveQuery): Promise<string> {
  return queries.pendingStagesDistribution(services.db, live(services, query));
}

export function serviceTypesByStatus(services: Services, status: string, query: Query): Promise<string> {
  return queries.serviceTypesByStatus(services.db, status, inZone(services, query));
}

export function serviceQuantities(services: Services, query: Query): Promise<string> {
  return queries.serviceQuantities(services.db, inZone(services, query));
}

export function costsByServiceType(services: Services, query: Query & Rates): Promise<string> {
  return queries.costsByServiceType(services.db, inZone(services, query), conversion(services, query));
}

export function costsByBudgetSource(services: Services, query: Query & Rates): Promise<string> {
  return queries.costsByBudgetSource(services.db, inZone(services, query), conversion(services, query));
}

export function purposeProcessingTimes(
  services: Services,
  query: Query & { readonly count: 'purchases' | 'purposes' },
): Promise<string> {
  return queries.purposeProcessingTimes(services.db, inZone(services, query), query.count);
}

export function stageProcessingTimes(
  services: Services,
  query: Query & { readonly population: 'all' | 'same' },
): Promise<string> {
  return queries.stageProcessingTimes(services.db, inZone(services, query), query.population);
}

function live(services: Services, query: LiveQuery): queries.Filter {
  return inZone(services, { ...appliedDates(query), service_type_id: query.service_type_id });
}

function inZone({ config }: Services, { start_date, end_date, service_type_id }: Query): queries.Filter {
  return { start_date, end_date, service_type_id, timeZone: config.organisation.timeZone };
}

function conversion({ config }: Services, { rates }: Rates): queries.Conversion {
  return { rate: config.organisation.usdToIlsRate, dated: rates === 'dated' };
}
