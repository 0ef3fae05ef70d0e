import type { EnvironmentConfig } from '../environment/schema.ts';
import type { Counts } from '../environment/with-replicas.ts';
import type { ReleaseState } from '../stack/release-state.ts';
import { CliError } from '../ui/cli-error.ts';
import { EXIT } from '../ui/exit-codes.ts';
import type { Plan } from './journal.ts';
import type { Drift } from './observe.ts';
import { numbered } from './plan.ts';
import { release } from './strategies.ts';

interface ScaleWish {
  readonly config: EnvironmentConfig;
  readonly counts: Counts;
  /** As it was typed, for the journal. */
  readonly command: string;
  readonly id: string;
}

/** What `calculaud scale` would do to the colour that answers and to the worker. Undefined: they are as many already. */
export function planScale(
  { config, counts, command, id }: ScaleWish,
  now: ReleaseState,
  drift: readonly Drift[],
): Plan | undefined {
  const { active, worker } = now;
  const api = now[active];
  if (!api || !worker) {
    throw new CliError(
      'Nothing is deployed that could be scaled.',
      'Begin with `calculaud deploy`.',
      EXIT.refused,
    );
  }
  // The step makes the whole stack what the configuration says; only numbers may change by it.
  const [other] = drift.filter(({ onlyReplicas }) => !onlyReplicas);
  if (other) {
    throw new CliError(
      `The stack differs from its configuration in more than numbers: ${other.service} ${other.words}. Nothing was changed.`,
      'See `calculaud plan`, and mend it first: `calculaud deploy`.',
      EXIT.refused,
    );
  }
  const workers = worker.replicas ?? config.replicas.worker;
  const after: ReleaseState = {
    ...now,
    [active]: { ...api, replicas: counts.api ?? api.replicas },
    worker: { ...worker, ...(counts.worker !== undefined && { replicas: counts.worker }) },
  };
  const lines = [
    ...changed(`api-${active}`, api.replicas, counts.api),
    ...changed('worker', workers, counts.worker),
    ...drift.map(({ service, words }) => `~ ${service} ${words}`),
  ];
  if (lines.length === 0) return undefined;
  return numbered(
    { id, command, config },
    [...lines, 'Downtime: none. Reversible.'],
    [release('Run as many containers as were asked for', after, now)],
  );
}

function changed(service: string, before: number, after: number | undefined): string[] {
  return after === undefined || after === before ? [] : [`~ ${service}: ${before} → ${after} containers`];
}
