import type { Services } from '../platform/services.ts';
import * as queries from './queries.ts';

/** Every figure is one statement, whose answer goes out as it is (contract 3.14). */

type ServiceTypes = Pick<queries.Filter, 'service_type_id'>;
type Query = Omit<queries.Filter, 'timeZone'>;

export function serviceTypesDistribution({ db }: Services, query: ServiceTypes): Promise<string> {
  return queries.serviceTypesDistribution(db, query.service_type_id);
}

export function statusesDistribution({ db }: Services, query: ServiceTypes): Promise<string> {
  return queries.statusesDistribution(db, query.service_type_id);
}

export function pendingAuthoritiesDistribution({ db }: Services, query: ServiceTypes): Promise<string> {
  return queries.pendingAuthoritiesDistribution(db, query.service_type_id);
}

export function pendingStagesDistribution({ db }: Services, query: ServiceTypes): Promise<string> {
  return queries.pendingStagesDistribution(db, query.service_type_id);
}

export function serviceTypesByStatus(services: Services, status: string, query: Query): Promise<string> {
  return queries.serviceTypesByStatus(services.db, status, inZone(services, query));
}

export function serviceQuantities(services: Services, query: Query): Promise<string> {
  return queries.serviceQuantities(services.db, inZone(services, query));
}

export function costsByServiceType(services: Services, query: Query): Promise<string> {
  return queries.costsByServiceType(services.db, inZone(services, query), rate(services));
}

export function costsByBudgetSource(services: Services, query: Query): Promise<string> {
  return queries.costsByBudgetSource(services.db, inZone(services, query), rate(services));
}

export function purposeProcessingTimes(services: Services, query: Query): Promise<string> {
  return queries.purposeProcessingTimes(services.db, inZone(services, query));
}

export function stageProcessingTimes(services: Services, query: Query): Promise<string> {
  return queries.stageProcessingTimes(services.db, inZone(services, query));
}

function inZone({ config }: Services, query: Query): queries.Filter {
  return { ...query, timeZone: config.organisation.timeZone };
}

/** One rate for all dates, as in v1 (W37). */
function rate({ config }: Services): string {
  return config.organisation.usdToIlsRate;
}
