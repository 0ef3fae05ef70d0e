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
