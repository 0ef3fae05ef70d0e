import type { purposeStatuses } from '@calculaud/contract/purposes';
import { Problem } from '../platform/problem.ts';

/** A service stands at most once among the contents of a purpose (contract 2.1.6). */
export function assertServicesOnce(lines: readonly { readonly service_id: number }[]): void {
  const seen = new Set<number>();
  for (const { service_id } of lines) {
    if (seen.has(service_id)) {
      throw new Problem(
        'service_twice',
        400,
        `Service with ID ${service_id} is already included in this purpose`,
      );
    }
    seen.add(service_id);
  }
}

export type Status = (typeof purposeStatuses)[number];

const progress: readonly Status[] = ['IN_PROGRESS', 'SIGNED', 'PARTIALLY_SUPPLIED', 'COMPLETED'];

/** The rule `status-follows-stages`: forward by any number of steps, back by one; complete when no stage is pending. */
export function assertStatusFollows(from: Status, to: Status, pendingStages: number): void {
  const [before, after] = [progress.indexOf(from), progress.indexOf(to)];
  if (after < before - 1) {
    throw new Problem(
      'status_back',
      409,
      `The status goes back one step at a time: ${from} to ${progress[before - 1]}, not to ${to}`,
    );
  }
  if (to === 'COMPLETED' && pendingStages > 0) {
    throw new Problem(
      'stages_pending',
      409,
      `A purpose is COMPLETED when no stage of its purchases is pending: ${pendingStages} still ${pendingStages === 1 ? 'is' : 'are'}`,
    );
  }
}

/** The other side of the same rule: nothing becomes pending below a purpose that is complete. */
export function assertNotCompleted(id: number, status: Status): void {
  if (status === 'COMPLETED') {
    throw new Problem(
      'purpose_completed',
      409,
      `Purpose with ID ${id} is COMPLETED, so that none of its stages can be pending: set its status back to PARTIALLY_SUPPLIED first`,
    );
  }
}

export interface TypedService {
  readonly name: string;
  readonly service_type_id: number;
}

/** The rule `services-of-type`. A purpose without a service type takes all services. */
export function assertServicesOfType(
  type: { readonly id: number; readonly name: string } | undefined,
  services: readonly TypedService[],
): void {
  const strange = type ? services.filter((service) => service.service_type_id !== type.id) : [];
  if (type && strange.length > 0) {
    throw new Problem(
      'service_of_other_type',
      409,
      `Services of the contents do not belong to the service type '${type.name}' of the purpose: ${strange.map(({ name }) => name).join(', ')}`,
    );
  }
}
