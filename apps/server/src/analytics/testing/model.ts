import { calendarDay } from '../../platform/context.ts';
import type { Purchase, Purpose, Stage } from './records.ts';

/** The definitions of contract 3.14 as loops over records, the slow and plain way. */

export interface Catalogue {
  readonly serviceTypes: ReadonlyMap<number, string>;
  readonly services: ReadonlyMap<number, { readonly name: string; readonly type: number }>;
  readonly stageTypes: ReadonlyMap<
    number,
    { readonly name: string; readonly display: string; readonly authority: number | null }
  >;
  readonly authorities: ReadonlyMap<number, string>;
  readonly budgetSources: ReadonlyMap<number, string>;
  readonly timeZone: string;
  readonly rate: number;
}

export interface ModelFilter {
  readonly start?: string | undefined;
  readonly end?: string | undefined;
  readonly serviceTypes?: readonly number[] | undefined;
}

export class Model {
  readonly #purposes: readonly Purpose[];
  readonly #catalogue: Catalogue;
  readonly #filter: ModelFilter;

  constructor(purposes: readonly Purpose[], catalogue: Catalogue, filter: ModelFilter) {
    this.#purposes = purposes;
    this.#catalogue = catalogue;
    this.#filter = filter;
  }

  /** A. */
  serviceTypesDistribution() {
    const counts = this.#countByServiceType(this.#live());
    return { data: counts.map(({ id, name, count }) => ({ id, name, count })) };
  }

  /** B. */
  statusesDistribution() {
    const statuses = ['IN_PROGRESS', 'COMPLETED', 'SIGNED', 'PARTIALLY_SUPPLIED'];
    return {
      data: [...groups(this.#live(), (purpose) => purpose.status)]
        .map(([status, { length }]) => ({ status, count: length }))
        .toSorted(
          by(
            ({ count }) => -count,
            ({ status }) => statuses.indexOf(status),
          ),
        ),
    };
  }

  /** C. */
  pendingAuthoritiesDistribution() {
    return {
      data: [...groups(this.#live(), (purpose) => this.#pendingAuthority(purpose))]
        .map(([id, { length }]) => ({
          authority_id: id,
          authority_name: id === null ? 'No Pending Authority' : nameOf(this.#catalogue.authorities, id),
          count: length,
        }))
        .toSorted(
          by(
            ({ authority_id }) => Number(authority_id === null),
            ({ count }) => -count,
            ({ authority_name }) => authority_name,
          ),
        ),
    };
  }

  /** D. */
  pendingStagesDistribution() {
    const waiting = this.#live().flatMap((purpose) =>
      purpose.purchases.flatMap((purchase) => {
        const pending = purchase.stages.filter(({ completed }) => completed === null);
        const level = Math.min(...pending.map(({ priority }) => priority));
        return pending
          .filter(({ priority }) => priority === level)
          .flatMap(({ type }) => (purpose.serviceType === null ? [] : [{ type, of: purpose.serviceType }]));
      }),
    );
    return {
      data: [...groups(waiting, ({ type }) => type)]
        .map(([type, all]) => ({
          stage_type_id: type,
          stage_type_name: this.#stageType(type).name,
          total_count: all.length,
          service_types: [...groups(all, ({ of }) => of)]
            .map(([id, { length }]) => ({
              service_type_id: id,
              service_type_name: nameOf(this.#catalogue.serviceTypes, id),
              count: length,
            }))
            .toSorted(by(({ service_type_name }) => service_type_name)),
        }))
        .toSorted(by(({ stage_type_id }) => stage_type_id)),
    };
  }

  /** E. */
  serviceTypesByStatus(status: string) {
    const reached = this.#ofServiceTypes().filter(({ history }) =>
      history.some((change) => change.status === status && this.#within(change.at)),
    );
    const counts = this.#countByServiceType(reached);
    return {
      data: counts.map(({ id, name, count }) => ({ service_type_id: id, service_type_name: name, count })),
      total_count: sum(counts.map(({ count }) => count)),
      target_status: status,
    };
  }

  /** F. */
  serviceQuantities() {
    const contents = this.#created().flatMap((purpose) => purpose.contents);
    const services = [...groups(contents, ({ service }) => service)].map(([id, lines]) => ({
      service_id: id,
      service_name: this.#service(id).name,
      quantity: sum(lines.map(({ quantity }) => quantity)),
    }));
    return {
      data: [...groups(services, ({ service_id }) => this.#service(service_id).type)]
        .map(([type, all]) => ({
          service_type_id: type,
          service_type_name: nameOf(this.#catalogue.serviceTypes, type),
          total_quantity: sum(all.map(({ quantity }) => quantity)),
          services: all.toSorted(
            by(
              ({ quantity }) => -quantity,
              ({ service_name }) => service_name,
            ),
          ),
        }))
        .toSorted(by(({ service_type_id }) => service_type_id)),
    };
  }

  /** G. */
  costsByServiceType() {
    const costs = this.#created().flatMap((purpose) =>
      purpose.purchases.flatMap((purchase) =>
        purchase.costs.map((cost) => ({ ...cost, of: purpose.serviceType })),
      ),
    );
    return {
      data: this.#amounts(costs, this.#catalogue.serviceTypes).map(({ id, name, amounts }) => ({
        service_type_id: id,
        service_type_name: name,
        amounts,
      })),
    };
  }

  /** H. */
  costsByBudgetSource() {
    const costs = this.#created().flatMap((purpose) =>
      purpose.purchases.flatMap((purchase) =>
        purchase.costs.map((cost) => ({ ...cost, of: purchase.budgetSource })),
      ),
    );
    return {
      data: this.#amounts(costs, this.#catalogue.budgetSources).map(({ id, name, amounts }) => ({
        budget_source_id: id,
        budget_source_name: name,
        amounts,
      })),
    };
  }

  /** I. */
  purposeProcessingTimes() {
    const rows = this.#ofServiceTypes().flatMap((purpose) => {
      const closed = purpose.history
        .filter(({ status }) => status === 'COMPLETED')
        .map(({ at }) => at)
        .toSorted(by((at) => Date.parse(at)))
        .at(-1);
      if (closed === undefined || purpose.serviceType === null || !this.#within(closed)) return [];
      const of = purpose.serviceType;
      return purpose.purchases.flatMap(({ stages }) => {
        const [form] = stages
          .filter(({ type }) => this.#stageType(type).name === 'emf_id')
          .flatMap(({ completed }) => completed ?? [])
          .toSorted(by((day) => day));
        return form === undefined
          ? []
          : [{ of, purpose: purpose.id, days: daysBetween(form, this.#day(closed)) }];
      });
    });
    return {
      service_types: [...groups(rows, ({ of }) => of)]
        .map(([id, all]) => {
          const days = all.map((row) => row.days);
          return {
            service_type_id: id,
            service_type_name: nameOf(this.#catalogue.serviceTypes, id),
            count: all.length,
            average_processing_days: average(days),
            min_processing_days: Math.min(...days),
            max_processing_days: Math.max(...days),
            mean: sum(days) / days.length,
          };
        })
        .toSorted(
          by(
            ({ mean }) => -mean,
            ({ service_type_name }) => service_type_name,
          ),
        )
        .map(({ mean: _, ...shown }) => shown),
      total_purposes: rows.length,
      distinct_purposes: new Set(rows.map(({ purpose }) => purpose)).size,
    };
  }

  /** J. */
  stageProcessingTimes() {
    const rows = this.#purposes
      .filter(({ created }) => this.#within(created))
      .flatMap(({ serviceType, purchases }) =>
        purchases.flatMap((purchase) => stageDays(purchase).map((row) => ({ ...row, of: serviceType }))),
      );
    return {
      data: [...groups(rows, ({ type }) => type)].toSorted(by(([type]) => type)).flatMap(([type, all]) => {
        const serviceTypes = [...groups(all, ({ of }) => of)]
          .flatMap(([id, some]) => {
            if (id === null || !this.#isShown(id)) return [];
            const days = some.map((row) => row.days);
            return {
              service_type_id: id,
              service_type_name: nameOf(this.#catalogue.serviceTypes, id),
              count: some.length,
              avg_processing_days: average(days),
              min_processing_days: Math.min(...days),
              max_processing_days: Math.max(...days),
            };
          })
          .toSorted(by(({ service_type_name }) => service_type_name));
        if (serviceTypes.length === 0) return [];
        const days = all.map((row) => row.days);
        return {
          stage_type_id: type,
          stage_type_name: this.#stageType(type).name,
          stage_type_display_name: this.#stageType(type).display,
          service_types: serviceTypes,
          overall_count: all.length,
          overall_avg_processing_days: average(days),
          overall_min_processing_days: Math.min(...days),
          overall_max_processing_days: Math.max(...days),
        };
      }),
    };
  }

  #isShown(serviceType: number | null): boolean {
    const wanted = this.#filter.serviceTypes;
    return wanted === undefined || (serviceType !== null && wanted.includes(serviceType));
  }

  #ofServiceTypes(): readonly Purpose[] {
    return this.#purposes.filter(({ serviceType }) => this.#isShown(serviceType));
  }

  #live(): readonly Purpose[] {
    return this.#ofServiceTypes().filter(({ status }) => status !== 'COMPLETED');
  }

  #created(): readonly Purpose[] {
    return this.#ofServiceTypes().filter(({ created }) => this.#within(created));
  }

  #day(instant: string): string {
    return calendarDay(new Date(instant), this.#catalogue.timeZone);
  }

  #within(instant: string): boolean {
    const { start, end } = this.#filter;
    const day = this.#day(instant);
    return (start === undefined || day >= start) && (end === undefined || day <= end);
  }

  #countByServiceType(purposes: readonly Purpose[]) {
    return [...groups(purposes, ({ serviceType }) => serviceType)]
      .flatMap(([id, { length }]) =>
        id === null ? [] : [{ id, name: nameOf(this.#catalogue.serviceTypes, id), count: length }],
      )
      .toSorted(
        by(
          ({ count }) => -count,
          ({ name }) => name,
        ),
      );
  }

  /** Contract 3.5. */
  #pendingAuthority({ purchases }: Purpose): number | null {
    const [first] = purchases
      .flatMap(({ stages }) => stages)
      .filter(({ type }) => this.#stageType(type).authority !== null)
      .toSorted(
        by(
          ({ completed }) => Number(completed !== null),
          ({ completed, priority }) => (completed === null ? priority : -priority),
          ({ type }) => type,
        ),
      );
    return first ? this.#stageType(first.type).authority : null;
  }

  #amounts(
    costs: readonly { readonly of: number | null; readonly currency: string; readonly cents: number }[],
    names: ReadonlyMap<number, string>,
  ) {
    const { rate } = this.#catalogue;
    return [...groups(costs, ({ of }) => of)]
      .map(([id, all]) => {
        const of = (currency: string) =>
          sum(all.filter((cost) => cost.currency === currency).map(({ cents }) => cents)) / 100;
        const [ils, support_usd, available_usd] = [of('ILS'), of('SUPPORT_USD'), of('AVAILABLE_USD')];
        const usd = support_usd + available_usd;
        return {
          id,
          name: id === null ? 'Unknown' : nameOf(names, id),
          amounts: {
            ils,
            support_usd,
            available_usd,
            total_usd: usd + ils / rate,
            total_ils: ils + usd * rate,
            other: [],
          },
        };
      })
      .toSorted(
        by(
          ({ id }) => Number(id === null),
          ({ amounts }) => -Math.round(amounts.total_ils * 1000),
          ({ name }) => name,
        ),
      );
  }

  #stageType(id: number) {
    const type = this.#catalogue.stageTypes.get(id);
    if (!type) throw new Error(`The model has no stage type ${id}`);
    return type;
  }

  #service(id: number) {
    const service = this.#catalogue.services.get(id);
    if (!service) throw new Error(`The model has no service ${id}`);
    return service;
  }
}

function stageDays({ stages }: Purchase): { type: number; days: number }[] {
  return stages.flatMap(({ type, priority, completed }: Stage) => {
    const before = stages
      .filter((stage) => stage.priority === priority - 1)
      .flatMap((stage) => stage.completed ?? [])
      .toSorted(by((day) => day))
      .at(-1);
    if (completed === null || before === undefined || priority <= 1) return [];
    const days = daysBetween(before, completed);
    return days < 0 ? [] : [{ type, days }];
  });
}

function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Two decimals, worked out in whole numbers; halves go away from zero. */
function average(days: readonly number[]): number {
  const total = sum(days);
  const hundredths = Math.floor((Math.abs(total) * 200 + days.length) / (days.length * 2));
  return total < 0 && hundredths > 0 ? -hundredths / 100 : hundredths / 100;
}

function nameOf(names: ReadonlyMap<number, string>, id: number): string {
  const name = names.get(id);
  if (name === undefined) throw new Error(`The model has no name for ${id}`);
  return name;
}

function groups<T, K>(items: readonly T[], key: (item: T) => K): Map<K, T[]> {
  const found = new Map<K, T[]>();
  for (const item of items) {
    const group = found.get(key(item));
    if (group) group.push(item);
    else found.set(key(item), [item]);
  }
  return found;
}

/** Compares by the first key that differs, ascending. */
function by<T>(...keys: readonly ((item: T) => number | string)[]) {
  return (one: T, other: T): number => {
    for (const key of keys) {
      const [a, b] = [key(one), key(other)];
      if (a !== b) return a < b ? -1 : 1;
    }
    return 0;
  };
}
